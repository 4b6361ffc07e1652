"""What is drawn: pictures of runs, sentences, units and generated speech, each as one PNG."""
