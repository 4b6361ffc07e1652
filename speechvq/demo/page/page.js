// The page: tabs, recorders, voices, requests and their results.
import {meterLevel, microphoneError, openMicrophone, peak, readableFile, startLive, wavFile} from "/audio.js";

const $ = (selector, inside = document) => inside.querySelector(selector);
const $$ = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const OFFLINE = "The program does not answer; it may have been ended. Start it again and load this page again.";
const SHOWN = 12; // voices before "more"
let state = null;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// --- Requests: a line of JSON for each message.

async function* messages(path, query = {}, body = null) {
  const response = await fetch(`${path}?${new URLSearchParams(query)}`, {method: "POST", body});
  if (!response.body || !response.ok) throw new Error(await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

// Runs a request with its progress in `status`; the result, or null after an error, which it shows. `usual` says how
// long the work takes.
async function request(status, verb, path, query, body, usual = "") {
  const bar = make("progress", {max: 1, ariaLabel: "part that is done"}), label = make("span", {textContent: verb});
  const clock = make("span", {role: "timer", textContent: " ..."}); // a timer is not read aloud every second
  bar.removeAttribute("value");
  status.replaceChildren(label, clock, bar);
  let begin = Date.now();
  const tick = () => {
    const seconds = Math.floor((Date.now() - begin) / 1000);
    clock.textContent = seconds < 2 ? " ..." : `: ${seconds} s so far${usual}`;
  };
  const ticking = setInterval(tick, 1000);
  try {
    for await (const message of messages(path, query, body)) {
      if (message.ahead) {
        label.textContent = `Waiting: ${message.ahead} ahead`;
        begin = Date.now();
        tick();
      }
      if (message.done !== undefined) {
        if (label.textContent !== verb) label.textContent = verb;
        if (message.done > 0) bar.value = message.done;
      }
      if (message.error) { showError(status, message.error); return null; }
      if (message.result) { status.replaceChildren(); return message.result; }
    }
    throw new Error("no result");
  } catch (error) {
    showError(status, OFFLINE);
    return null;
  } finally {
    clearInterval(ticking);
  }
}

// A button that works takes no clicks but keeps the focus, which a disabled one would lose.
const isBusy = (button) => button.getAttribute("aria-disabled") === "true";
const setBusy = (button, busy) => button.setAttribute("aria-disabled", busy);

function showError(place, sentence) {
  place.replaceChildren(make("span", {className: "error", textContent: sentence}));
}

const urls = new Map(); // element to object URL, so that the earlier one can be released

function blobUrl(element, data) {
  const [head, content] = data.split(",");
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  return objectUrl(element, new Blob([bytes], {type: head.slice(5).replace(";base64", "")}));
}

function objectUrl(element, blob) {
  if (urls.has(element)) URL.revokeObjectURL(urls.get(element));
  urls.set(element, URL.createObjectURL(blob));
  return urls.get(element);
}

// Fills the elements of a result by their data attributes.
function fill(result, values) {
  for (const each of $$("[data-text]", result)) each.textContent = values[each.dataset.text] ?? "";
  for (const each of $$("[data-audio]", result)) each.src = blobUrl(each, values[each.dataset.audio]);
  for (const each of $$("[data-image]", result)) each.src = values[each.dataset.image];
  for (const each of $$("[data-file]", result)) each.href = blobUrl(each, values[each.dataset.file]);
  for (const each of $$("[data-name]", result)) each.download = values[each.dataset.name];
  result.hidden = false;
}

const extent = (values) => values.seconds > values.plotted_seconds
  ? `The figure shows the first ${values.plotted_seconds} seconds.` : "";

// --- Tabs.

function showTab(name) {
  const tabs = $$("[role=tab]");
  if (!tabs.some((tab) => tab.getAttribute("aria-controls") === name)) name = "convert";
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    $(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
  }
  return name;
}

// A red dot on the label of the tab to which an element belongs, while its microphone is on.
function markMicrophone(element, on) {
  const tab = $(`#tab-${element.closest("[role=tabpanel]").id}`);
  $(".microphone", tab)?.remove();
  const words = "microphone on";
  if (on) tab.append(make("span", {className: "microphone", role: "img", ariaLabel: words, title: words}));
}

function setUpTabs() {
  const tabs = $$("[role=tab]");
  tabs.forEach((tab, i) => {
    tab.onclick = () => {
      const hash = `#${showTab(tab.getAttribute("aria-controls"))}`;
      if (hash !== location.hash) history.pushState(null, "", hash);
    };
    tab.onkeydown = ({key}) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[key];
      if (!step) return;
      const next = tabs[(i + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    };
  });
  const follow = () => history.replaceState(null, "", `#${showTab(location.hash.slice(1))}`);
  follow();
  window.onhashchange = follow;
}

// --- Recorders: record, choose a file, drop one, or take the example.

class Recorder {
  constructor(box, onChange) {
    this.box = box;
    this.onChange = onChange;
    this.query = null; // of a request: the file's name, or the example
    this.body = null;
    this.microphone = null;
    this.button = make("button", {className: "record", textContent: "Record", onclick: () => this.toggle()});
    this.timer = make("span", {className: "timer", hidden: true});
    this.meter = make("meter", {max: 1, hidden: true, ariaLabel: "level of the microphone"});
    const input = make("input", {type: "file", accept: "audio/*,video/mp4,video/webm"});
    input.onchange = () => { if (input.files.length) this.takeFile(input.files[0]); input.value = ""; };
    box.append(this.button, this.timer, this.meter, make("label", {className: "file"}, "Choose a file", input));
    if (box.dataset.example) {
      box.append(make("button", {
        className: "example", textContent: `Take ${box.dataset.example}`, onclick: () => this.takeExample(),
      }));
    }
    box.append(make("p", {className: "hint", textContent: "or drop a file here"}));
    this.chosen = make("div", {className: "chosen", hidden: true});
    this.name = make("b");
    this.player = make("audio", {controls: true});
    this.chosen.append(this.name, this.player);
    this.problem = make("div", {role: "status", className: "chosen", hidden: true});
    box.append(this.chosen, this.problem);
    box.ondragover = (event) => { event.preventDefault(); box.classList.add("over"); };
    box.ondragleave = () => box.classList.remove("over");
    box.ondrop = (event) => {
      event.preventDefault();
      box.classList.remove("over");
      if (event.dataTransfer.files.length) this.takeFile(event.dataTransfer.files[0]);
    };
  }

  async toggle() {
    if (this.microphone) { this.finish(); return; }
    if (isBusy(this.button)) return;
    this.fail("");
    setBusy(this.button, true);
    const blocks = [];
    let count = 0;
    try {
      this.microphone = await openMicrophone(100, (block) => {
        blocks.push(block);
        count += block.length;
        const seconds = count / this.microphone.rate;
        this.timer.textContent = `${seconds.toFixed(1)} s`;
        this.meter.value = meterLevel(peak(block));
        if (seconds >= state.max_seconds) this.finish();
      }, () => { this.finish(); this.fail("The microphone has gone."); });
    } catch (error) {
      this.fail(microphoneError(error));
      return;
    } finally {
      setBusy(this.button, false);
    }
    this.blocks = blocks;
    this.show(true);
  }

  finish() {
    if (!this.microphone) return;
    const {rate, close} = this.microphone;
    this.microphone = null;
    close();
    this.show(false);
    this.take(wavFile(this.blocks, rate, "recording.wav"), {file: "recording.wav"});
  }

  show(recording) {
    this.button.textContent = recording ? "Stop" : "Record";
    this.button.classList.toggle("recording", recording);
    this.timer.hidden = this.meter.hidden = !recording;
    this.timer.textContent = "0.0 s";
    markMicrophone(this.box, recording);
  }

  async takeFile(file) {
    if (file.size > state.max_bytes) {
      this.fail(`${file.name} is too large; send at most ${Math.floor(state.max_bytes / 2 ** 20)} MB.`);
      return;
    }
    try { // now, because the file may be gone when it is sent
      file = new File([await file.arrayBuffer()], file.name, {type: file.type});
    } catch {
      this.fail(`${file.name} cannot be read; choose it again.`);
      return;
    }
    file = await readableFile(file);
    this.take(file, {file: file.name});
  }

  async takeExample() {
    const response = await fetch("/example.flac");
    this.take(await response.blob(), {example: ""}, "an example by a reader of LibriSpeech");
  }

  take(blob, query, name = query.file) {
    this.fail("");
    this.query = query;
    this.body = "example" in query ? null : blob;
    this.name.textContent = name;
    this.player.src = objectUrl(this.player, blob);
    this.player.hidden = false;
    this.player.onerror = () => {
      this.player.hidden = true;
      this.fail(`This browser cannot play ${name}; the program may still read it.`, "");
    };
    this.player.onloadedmetadata = () => {
      const {duration} = this.player, limit = state.max_seconds;
      if (!Number.isFinite(duration) || duration <= limit + 0.5) return;
      this.fail(`${name} is ${Math.round(duration)} s long; cut it to ${limit} s.`);
      this.onChange(false);
    };
    this.chosen.hidden = false;
    this.onChange(true);
  }

  fail(sentence, className = "error") {
    this.problem.hidden = !sentence;
    this.problem.replaceChildren(make("span", {className, textContent: sentence}));
  }
}

// --- Voices.

const chosenVoice = (tab) => $(`#${tab} .voices input:checked`)?.value;
const sample = new Audio(); // of a voice; one plays at a time
let sampleButton = null;

function stopSample() {
  sample.pause();
  if (sampleButton) sampleButton.textContent = "▶";
  sampleButton = null;
}
sample.onended = stopSample;

async function hear(button, name, status) {
  if (isBusy(button)) return;
  const again = sampleButton === button;
  stopSample();
  if (again) return;
  button.textContent = "…";
  setBusy(button, true);
  const result = await request(status, `Converting a sentence to ${name}`, "/sample", {speaker: name});
  setBusy(button, false);
  button.textContent = "▶";
  if (!result) return;
  stopSample();
  sampleButton = button;
  button.textContent = "■";
  sample.src = blobUrl(sample, result.audio);
  sample.play();
}

function showVoices(tab, choice, onChoice = () => {}) {
  const box = $(`#${tab} .voices`), more = $(`#${tab} .more`), status = $(`#${tab} .status`);
  const cards = state.voices.map(({name, about, little}, i) => {
    const input = make("input", {type: "radio", name: `voice-${tab}`, value: name, checked: name === choice});
    input.onchange = () => onChoice(name);
    const label = make("label", {}, input, make("b", {textContent: name}), make("small", {textContent: about}));
    const listen = make("button", {textContent: "▶", title: `Hear ${name}`, ariaLabel: `Hear ${name}`});
    listen.onclick = () => hear(listen, name, status);
    const card = make("div", {className: "voice", hidden: i >= SHOWN && name !== choice}, label, listen);
    if (little) card.title = "Little training speech: conversions resemble this speaker only roughly.";
    return card;
  });
  box.replaceChildren(...cards);
  const hidden = cards.filter((card) => card.hidden).length;
  more.hidden = !hidden;
  more.textContent = `Show ${hidden} more voices`;
  more.onclick = () => {
    const first = cards.find((card) => card.hidden);
    cards.forEach((card) => { card.hidden = false; });
    $("button", first).focus();
    more.hidden = true;
  };
}

function showAllVoices(choice) {
  showVoices("convert", choice);
  showVoices("live", choice, (name) => live && live.choose(name));
  $("#generate-voice").replaceChildren(
    make("option", {value: "", textContent: "any"}),
    ...state.voices.map(({name}) => make("option", {value: name, textContent: name})),
  );
}

// --- The tabs' work.

// Connects a tab's recorder and button; `work(recorder, status, result)` runs at a click.
function setUpWork(tab, work) {
  const button = $(`#${tab} .go`), box = $(`#${tab} .recorder`);
  const status = $(`#${tab} .status`), result = $(`#${tab} .result`);
  const recorder = box && new Recorder(box, (usable) => {
    button.disabled = !usable;
    if ($("[data-text=origin]", result)) result.classList.add("old");
    if (isBusy(button)) return;
    status.textContent = result.matches(".old:not([hidden])") ? "The result below is of the earlier recording." : "";
  });
  if (box) status.textContent = "First record something or choose a file.";
  button.onclick = async () => {
    if (isBusy(button)) return;
    setBusy(button, true);
    result.hidden = true;
    result.classList.remove("old");
    stopSample();
    await work(recorder, status, result);
    setBusy(button, false);
  };
}

async function convert(recorder, status, result) {
  const query = {...recorder.query, speaker: chosenVoice("convert")}, origin = recorder.name.textContent;
  const found = await request(status, `Converting to ${query.speaker}`, "/convert", query, recorder.body);
  if (!found) return;
  fill(result, {...found, origin, extent: extent(found)});
  $(".note", result).textContent = found.change ? `Read as: ${found.change}.` : "";
}

async function enroll(recorder, status, result) {
  const query = {...recorder.query, name: $("#name").value};
  const found = await request(status, "Fitting the voice", "/enroll", query, recorder.body, ", usually 30 to 120 s");
  if (!found) return;
  const facts = `${found.seconds} s of speech, mean F0 ${found.f0} Hz. The closest speaker of the model is ${found.nearest}.`;
  fill(result, {...found, facts});
  $(".warnings", result).replaceChildren(...found.warnings.map((text) => make("li", {textContent: text})));
  const player = $("audio", result), hearNew = $(".hear-new", result);
  player.hidden = true;
  hearNew.onclick = async () => {
    const spoken = await request(status, `Converting a sentence to ${found.name}`, "/sample", {speaker: found.name});
    if (!spoken) return;
    player.src = blobUrl(player, spoken.audio);
    player.hidden = false;
    player.play();
  };
  await loadState();
  showAllVoices(found.name);
}

async function generate(_, status, result) {
  const query = {
    speaker: $("#generate-voice").value,
    seconds: $("#generate-seconds").value || 0,
    seed: Math.floor(Math.random() * 1e6),
  };
  const found = await request(status, "Drawing codes", "/generate", query);
  if (found) fill(result, found);
}

async function showUnits(recorder, status, result) {
  const origin = recorder.name.textContent;
  const found = await request(status, "Encoding", "/units", recorder.query, recorder.body);
  if (!found) return;
  const codes = found.codes.join(" "), download = $(".download", result);
  fill(result, {...found, origin, codes, extent: extent(found)});
  $(".facts", result).replaceChildren(...found.statistics.map(([label, value]) => make("div", {},
    make("dt", {textContent: label}), make("dd", {textContent: value}))));
  $(".phones .note", result).textContent = state.phones
    ? "Recognized by PocketSphinx, which does not know the text: many are wrong."
    : "Phones need PocketSphinx: pip install 'speechvq[align]', and start the demo again.";
  $(".phones pre", result).hidden = !found.phones;
  download.href = objectUrl(download, new Blob([codes + "\n"], {type: "text/plain"}));
}

let live = null;

function setUpLive() {
  const {possible, reason, lookahead_ms: lookahead} = state.live, tab = $("#live");
  $(".can-stream", tab).hidden = !possible;
  $(".cannot-stream", tab).hidden = possible;
  if (!possible) { $(".cannot-stream p", tab).textContent = reason; return; }
  $("#live-latency").textContent = `${lookahead} ms`;
  const button = $(".go", tab), status = $(".status", tab);
  const show = (running) => {
    button.textContent = running ? "Stop" : "Start";
    button.classList.toggle("recording", running);
    $(".meters", tab).hidden = !running;
    markMicrophone(tab, running);
    $("#live-last").hidden = running;
    if (running) $("#live-facts").hidden = false;
  };
  const on = {
    error: (sentence) => showError(status, sentence),
    levels: (microphone, conversion) => {
      $("#level-in").value = meterLevel(microphone);
      $("#level-out").value = meterLevel(conversion);
    },
    ready: () => status.replaceChildren(),
    status: (facts) => showLiveFacts(facts),
    ended: () => { live = null; show(false); if (!$(".error", status)) status.replaceChildren(); },
  };
  button.onclick = async () => {
    if (live) { live.stop(); return; }
    if (isBusy(button)) return;
    stopSample();
    status.textContent = "Starting; the first time on a computer takes longer ...";
    setBusy(button, true);
    try {
      live = await startLive(chosenVoice("live"), on);
      show(true);
    } catch (error) {
      showError(status, microphoneError(error));
    }
    setBusy(button, false);
  };
}

function showLiveFacts({latency_ms: latency, load, dropped_ms: dropped, underruns, bad_samples: bad, buffer_ms: buffer}) {
  if (latency !== undefined && buffer !== undefined) $("#live-delay").textContent = `${Math.round(latency + buffer)} ms`;
  if (load !== undefined) $("#live-load").textContent = `${Math.round(100 * load)} %`;
  const faults = [[underruns, underruns === 1 ? "gap" : "gaps"], [dropped, "ms left out"], [bad, "invalid samples"]];
  $("#live-drops").textContent = faults.filter(([count]) => count).map((each) => each.join(" ")).join(", ") || "none";
}

async function loadState() {
  state = await (await fetch("/state")).json();
  for (const each of $$("[data-state]")) each.textContent = state[each.dataset.state];
}

async function start() {
  setUpTabs();
  try {
    await loadState();
  } catch {
    $("header").append(make("p", {className: "error", textContent: OFFLINE}));
    return;
  }
  const first = state.voices.find(({little}) => !little) || state.voices[0];
  showAllVoices(first.name);
  setUpWork("convert", convert);
  setUpWork("enroll", enroll);
  setUpWork("units", showUnits);
  setUpWork("generate", generate);
  setUpLive();
  $(".with-prior").hidden = !state.prior;
  $(".without-prior").hidden = state.prior;
  $("#prior-commands").textContent = state.prior_commands.join("\n");
  $("#generate-seconds").max = state.max_generated_seconds;
  document.body.dataset.ready = "true";
}

start();
