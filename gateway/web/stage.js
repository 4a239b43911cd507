// @ts-check
/** The large picture: the person, the wait, and the result under a before/after slider. */

import { describeError, describeProgress, factsOf } from "./words.js";

/** @typedef {import("./client.js").TryOnResult} TryOnResult */

const REST_PERCENT = 50;
const REVEAL_MS = 900;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

export class Stage {
  frame = byId("frame");
  #before = /** @type {HTMLImageElement} */ (byId("before"));
  #afterPhoto = /** @type {HTMLImageElement} */ (byId("after-photo"));
  #inset = /** @type {HTMLImageElement} */ (byId("inset"));
  #split = /** @type {HTMLInputElement} */ (byId("split"));
  #working = byId("working");
  #bar = /** @type {HTMLProgressElement} */ (byId("working-bar"));
  #preview = /** @type {HTMLImageElement} */ (byId("preview"));
  #told = "";
  #status = byId("status");
  #trouble = byId("trouble");
  /** @type {number | undefined} */
  #ticking;

  constructor() {
    this.#split.addEventListener("input", () => this.#place(Number(this.#split.value)));
    this.#before.addEventListener("load", () => this.#fit(this.#before));
  }

  /** Show a person, not yet dressed. @param {{url: string, label: string}} picture */
  showPerson({ url, label }) {
    this.#before.src = url;
    this.#before.alt = `Person: ${label}`;
    this.#before.hidden = false;
    this.#clear();
  }

  /** Show the garment to come, small. @param {{url: string, label: string}} picture */
  showGarment({ url, label }) {
    this.#inset.src = url;
    this.#inset.alt = `Garment: ${label}`;
    this.#clear();
  }

  /** Say that the server is at it, with the seconds going by. */
  showWork() {
    this.#clear();
    const started = performance.now();
    this.#told = "Dressing…";
    const tell = () => {
      const elapsed = ((performance.now() - started) / 1000).toFixed(1);
      byId("working-text").textContent = `${this.#told} ${elapsed} s`;
    };
    tell();
    this.#ticking = window.setInterval(tell, 100);
    this.#working.hidden = false;
    this.#status.textContent = "Working on it.";
  }

  /** Say how many of several are ready. @param {number} ready @param {number} of */
  showCount(ready, of) {
    this.#told = `${ready} of ${of} ready ·`;
    this.#bar.max = of;
    this.#bar.value = ready;
    this.#bar.hidden = false;
  }

  /** Say how far it is. @param {import("./client.js").Progress} progress */
  showProgress(progress) {
    this.#told = `${describeProgress(progress)} ·`;
    this.#bar.max = progress.of;
    this.#bar.value = progress.step;
    this.#bar.hidden = false;
  }

  /** Show what the result is to be, as far as it is. @param {import("./client.js").Preview} preview */
  showPreview({ url }) {
    this.#preview.src = url;
    this.#preview.hidden = false;
  }

  /** Show the result over the person. @param {TryOnResult} result */
  async showResult(result) {
    this.#afterPhoto.src = result.resultUrl;
    this.#afterPhoto.alt = "The person wearing the garment";
    await this.#afterPhoto.decode();
    this.#clear();
    this.#fit(this.#afterPhoto);
    this.#inset.hidden = true;
    for (const id of ["after", "compare", "outcome"]) byId(id).hidden = false;
    byId("facts").replaceChildren(...factsOf(result).map(fact));
    byId("warnings").replaceChildren(...result.warnings.map(({ message }) => item(message)));
    const format = result.metadata.output_format ?? "jpeg";
    const download = /** @type {HTMLAnchorElement} */ (byId("download"));
    download.href = result.resultUrl;
    download.download = `try-on.${format === "jpeg" ? "jpg" : format}`;
    this.#status.textContent = `Done in ${(result.processingTimeMs / 1000).toFixed(1)} seconds.`;
    this.#reveal();
  }

  /** Say what went wrong, what helps, and under which request id. @param {unknown} error */
  showError(error) {
    this.#clear();
    const { title, advice, requestId } = describeError(error);
    const head = document.createElement("strong");
    head.textContent = title;
    const lines = [head, document.createTextNode(advice ? ` ${advice}` : "")];
    if (requestId) {
      const id = document.createElement("code");
      id.textContent = `request ${requestId}`;
      lines.push(id);
    }
    this.#trouble.replaceChildren(...lines);
    this.#trouble.hidden = false;
    this.#status.textContent = "";
    this.#trouble.scrollIntoView({ block: "nearest" });
  }

  /** Back to the person and the garment to come. */
  rest() {
    this.#clear();
    this.#status.textContent = "";
  }

  #clear() {
    window.clearInterval(this.#ticking);
    for (const id of ["after", "compare", "outcome", "working", "trouble"]) byId(id).hidden = true;
    this.#inset.hidden = !this.#inset.src;
    this.#bar.hidden = this.#preview.hidden = true;
  }

  /** Let the line glide from the old to the new, then rest between them. */
  #reveal() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#place(REST_PERCENT);
      return;
    }
    const started = performance.now();
    const step = (/** @type {number} */ now) => {
      const t = Math.min(1, (now - started) / REVEAL_MS);
      const eased = 1 - (1 - t) ** 3;
      this.#place(100 - (100 - REST_PERCENT) * eased);
      if (t < 1 && document.activeElement !== this.#split) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** @param {number} percent of the frame that shows the photo before */
  #place(percent) {
    this.#split.value = String(percent);
    this.#split.setAttribute("aria-valuetext", `${Math.round(percent)} % before`);
    this.frame.style.setProperty("--split", `${percent}%`);
  }

  /** Give the frame the picture's proportions. @param {HTMLImageElement} image */
  #fit(image) {
    this.frame.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
  }
}

/** @param {[string, string]} entry */
function fact([name, value]) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  group.append(term, text);
  return group;
}

/** @param {string} text */
function item(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}
