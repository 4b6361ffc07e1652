// Audio processing off the main thread: capture of the microphone, and playback of a stream.

class Capture extends AudioWorkletProcessor {
  // Posts mono blocks of `blockSize` samples, a Float32Array each.
  constructor(options) {
    super();
    this.block = new Float32Array(options.processorOptions.blockSize);
    this.filled = 0;
  }

  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return true;
    for (let i = 0; i < channels[0].length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

class Playback extends AudioWorkletProcessor {
  // Plays the blocks that it is sent. It starts when `reserve` samples wait, and again after it ran empty.
  constructor(options) {
    super();
    this.blocks = [];
    this.waiting = 0;
    this.offset = 0;
    this.reserve = options.processorOptions.reserve;
    this.most = options.processorOptions.most;
    this.playing = false;
    this.underruns = 0;
    this.calls = 0;
    this.looked = currentTime;
    this.least = 0; // that waited since the last look
    this.port.onmessage = ({data}) => {
      this.blocks.push(data);
      this.waiting += data.length;
      while (this.waiting > this.most) this.dropBlock();
    };
  }

  dropBlock() {
    this.waiting -= this.blocks[0].length - this.offset;
    this.blocks.shift();
    this.offset = 0;
  }

  // What waited all the time for two seconds is only delay, left by a burst.
  dropExcess() {
    while (this.blocks.length && this.least - this.blocks[0].length > this.reserve / 2) {
      this.least -= this.blocks[0].length;
      this.dropBlock();
    }
    this.least = this.waiting;
  }

  process(_, outputs) {
    const output = outputs[0][0];
    if (!this.playing && this.waiting >= this.reserve) this.playing = true;
    if (this.playing) {
      for (let i = 0; i < output.length; i++) {
        if (!this.blocks.length) {
          this.playing = false;
          this.underruns++;
          break;
        }
        output[i] = this.blocks[0][this.offset++];
        this.waiting--;
        if (this.offset === this.blocks[0].length) {
          this.blocks.shift();
          this.offset = 0;
        }
      }
    }
    for (const other of outputs[0].slice(1)) other.set(output);
    this.least = Math.min(this.least, this.waiting);
    if (currentTime - this.looked > 2) {
      this.dropExcess();
      this.looked = currentTime;
    }
    if (++this.calls % 40 === 0) this.port.postMessage({waiting: this.waiting, underruns: this.underruns});
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
