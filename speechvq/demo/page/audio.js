// Microphone, WAV files, and the live stream.

export const peak = (block) => block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// A meter from -60 dB to full scale, 0 to 1.
export const meterLevel = (value) => Math.max(0, 1 + Math.log10(Math.max(value, 1e-6)) / 3);

// A sentence for what getUserMedia refuses.
export function microphoneError(error) {
  if (!navigator.mediaDevices) return "This browser gives no access to a microphone on this address.";
  const sentences = {
    NotAllowedError: "The browser does not allow this page to use the microphone; allow it and try again.",
    NotFoundError: "No microphone was found; connect one and try again.",
    NotReadableError: "The microphone cannot be used; another program may hold it.",
  };
  return sentences[error.name] || `The microphone cannot be used (${error.message}).`;
}

// An open microphone. `onBlock` gets mono Float32Arrays of `milliseconds` each. The samples have the rate of the sound
// card, or `sampleRate` if it is given and the browser can convert to it.
export async function openMicrophone(milliseconds, onBlock, onEnd, sampleRate) {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1},
  });
  let context = new AudioContext({latencyHint: "interactive", ...(sampleRate && {sampleRate})});
  let source;
  try {
    source = context.createMediaStreamSource(stream);
  } catch { // some browsers do not convert the rate of a microphone
    context.close();
    context = new AudioContext({latencyHint: "interactive"});
    source = context.createMediaStreamSource(stream);
  }
  await context.audioWorklet.addModule("/worklets.js");
  await context.resume();
  const blockSize = Math.round(context.sampleRate * milliseconds / 1000);
  const capture = new AudioWorkletNode(context, "capture", {numberOfOutputs: 0, processorOptions: {blockSize}});
  source.connect(capture);
  capture.port.onmessage = ({data}) => onBlock(data);
  stream.getAudioTracks()[0].onended = () => onEnd && onEnd();
  const close = () => {
    capture.port.onmessage = null;
    stream.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") context.close();
  };
  return {context, rate: context.sampleRate, close};
}

// Blocks of mono samples as a 16-bit WAV file.
export function wavFile(blocks, rate, name) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (place, letters) => [...letters].forEach((c, i) => view.setUint8(place + i, c.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * count, true);
  let place = 44;
  for (const block of blocks) {
    for (const value of block) {
      view.setInt16(place, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true);
      place += 2;
    }
  }
  return new File([view], name, {type: "audio/wav"});
}

// Formats that browsers decode and the program does not, such as recordings of phones, become WAV here.
export async function readableFile(file) {
  if (!/\.(m4a|aac|mp4|mov|webm|weba|3gp|mkv)$/i.test(file.name)) return file;
  const context = new AudioContext();
  try {
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    const mono = new Float32Array(audio.length);
    for (let c = 0; c < audio.numberOfChannels; c++) {
      const channel = audio.getChannelData(c);
      for (let i = 0; i < mono.length; i++) mono[i] += channel[i] / audio.numberOfChannels;
    }
    return wavFile([mono], audio.sampleRate, file.name.replace(/\.\w+$/, ".wav"));
  } catch {
    return file; // the program says what it cannot read
  } finally {
    context.close();
  }
}

const BLOCK_MS = 20; // sent at once
const RESERVE_MS = 40; // waits before playback starts, against uneven arrival
const MOST_MS = 250; // waits at most
const MODEL_RATE = 16000; // Hz; the browser converts with less delay than the program

// Converts the microphone to a voice and plays the result. `on` has ready(), error(sentence), status(facts),
// levels(microphone, conversion) and ended().
export async function startLive(speaker, on) {
  let socket = null, ready = false, facts = {}, output = 0, ended = false;
  const microphone = await openMicrophone(BLOCK_MS, (block) => {
    if (ready && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 1 << 18) socket.send(block);
    on.levels(peak(block), output);
  }, () => { on.error("The microphone has gone."); stop(); }, MODEL_RATE);
  const {context, rate} = microphone;
  const samples = (milliseconds) => Math.round(rate * milliseconds / 1000);
  const player = new AudioWorkletNode(context, "playback", {
    numberOfInputs: 0, outputChannelCount: [1],
    processorOptions: {reserve: samples(RESERVE_MS), most: samples(MOST_MS)},
  });
  player.connect(context.destination);
  const report = (more) => { facts = {...facts, ...more}; on.status(facts); };
  player.port.onmessage = ({data}) => report({
    buffer_ms: 1000 * data.waiting / rate, underruns: data.underruns,
  });
  function stop() {
    if (ended) return;
    ended = true;
    microphone.close();
    socket?.close();
    on.ended();
  }
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(JSON.stringify({speaker, rate}));
  socket.onmessage = ({data}) => {
    if (typeof data !== "string") {
      const block = new Float32Array(data);
      output = peak(block);
      player.port.postMessage(block, [block.buffer]);
      return;
    }
    const message = JSON.parse(data);
    if (message.error) { on.error(message.error); stop(); return; }
    if (!ready) on.ready();
    ready = true; // what was said before is not converted: it would be late
    report(message);
  };
  socket.onclose = () => { if (!ended) { on.error("The program has ended the stream."); stop(); } };
  const choose = (name) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({speaker: name}));
  return {stop, choose, rate};
}
