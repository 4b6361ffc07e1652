"""The speech model as ONNX graphs: encoder with quantizer, F0 predictor, and decoder with vocoder."""
