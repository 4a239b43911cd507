// @ts-check
/** The garments of a batch in a row, each with how it stands; a finished one is shown by a click. */

import { describeError } from "./words.js";

/** @typedef {import("./sessions.js").Item} Item */

export class Rail {
  #root;
  #onChoice;
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  /** @type {(Item | null)[]} */
  #items = [];

  /**
   * @param {HTMLElement} root
   * @param {(item: Item) => void} onChoice
   */
  constructor(root, onChoice) {
    this.#root = root;
    this.#onChoice = onChoice;
  }

  /** How many have ended. @returns {number} */
  get ended() {
    return this.#items.filter(Boolean).length;
  }

  /** Show garments that wait. @param {{url: string, label: string}[]} garments */
  show(garments) {
    this.#items = garments.map(() => null);
    this.#buttons = garments.map(({ url, label }, place) => this.#button(url, label, place));
    this.#root.replaceChildren(...this.#buttons.map(entry));
    this.#root.hidden = false;
  }

  /** Say how far one is. @param {number} place @param {import("./client.js").Progress} progress */
  tell(place, { step, of }) {
    if (!this.#items[place]) this.#say(place, step > 0 ? `step ${step} of ${of}` : "waiting", "working");
  }

  /** Say what came of one. @param {Item} item @returns {boolean} whether that is news */
  end(item) {
    if (this.#items[item.item] || !this.#buttons[item.item]) return false;
    this.#items[item.item] = item;
    const words = item.error ? describeError(item.error).title : item.state === "completed" ? "ready" : item.state;
    this.#say(item.item, words, item.state);
    this.#buttons[item.item].disabled = !item.result && !item.error;
    return true;
  }

  /** Mark the one that is shown. @param {number} place */
  choose(place) {
    this.#buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === place)));
    this.#buttons[place]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Take it away. */
  hide() {
    this.#root.hidden = true;
    this.#root.replaceChildren();
    this.#buttons = [];
    this.#items = [];
  }

  /** @param {string} url @param {string} label @param {number} place */
  #button(url, label, place) {
    const button = document.createElement("button");
    const image = document.createElement("img");
    const text = document.createElement("span");
    button.type = "button";
    button.disabled = true;
    button.dataset.state = "created";
    button.setAttribute("aria-pressed", "false");
    image.src = url;
    image.alt = label;
    text.textContent = "waiting";
    button.append(image, text);
    button.addEventListener("click", () => {
      const item = this.#items[place];
      if (item) this.#onChoice(item);
    });
    return button;
  }

  /** @param {number} place @param {string} words @param {string} state */
  #say(place, words, state) {
    const button = this.#buttons[place];
    if (!button) return;
    button.dataset.state = state;
    /** @type {HTMLElement} */ (button.querySelector("span")).textContent = words;
  }
}

/** @param {HTMLElement} content */
function entry(content) {
  const item = document.createElement("li");
  item.append(content);
  return item;
}
