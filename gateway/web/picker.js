// @ts-check
/** A row of pictures to choose one from: samples, and the visitor's own by button or drop. */

const ACCEPTED_TYPES = ["image/jpeg", "image/png", "image/webp"];

/**
 * @typedef {object} Picture
 * @property {string} url       what an <img> shows
 * @property {string} label
 * @property {string} [category]  known for sample garments
 * @property {() => Promise<Blob>} bytes
 *
 * @typedef {object} Sample
 * @property {string} id
 * @property {string} label
 * @property {string} [category]
 * @property {string} file
 * @property {string} thumbnail
 */

export class Picker {
  /** @type {Map<HTMLInputElement, Picture>} */
  #pictures = new Map();
  #root;
  #tiles;
  #hint;
  #onChoice;

  /**
   * @param {HTMLFieldSetElement} root
   * @param {(picture: Picture) => void} onChoice
   */
  constructor(root, onChoice) {
    this.#root = root;
    this.#onChoice = onChoice;
    this.#tiles = /** @type {HTMLElement} */ (root.querySelector(".tiles"));
    this.#hint = /** @type {HTMLElement} */ (root.querySelector(".hint"));
    const file = /** @type {HTMLInputElement} */ (root.querySelector("input[type=file]"));
    file.addEventListener("change", () => {
      if (file.files?.length) this.addOwn(file.files[0]);
      file.value = "";
    });
    root.addEventListener("change", (event) => {
      const picture = this.#pictures.get(/** @type {HTMLInputElement} */ (event.target));
      if (picture) this.#chosen(picture);
    });
    acceptDrops(root, (dropped) => this.addOwn(dropped));
  }

  /** The (first) chosen picture. @returns {Picture | undefined} */
  get value() {
    return this.values[0];
  }

  /** The chosen pictures. @returns {Picture[]} */
  get values() {
    return [...this.#pictures].flatMap(([input, picture]) => (input.checked ? [picture] : []));
  }

  /** Let several be chosen, or one alone. @param {boolean} on */
  set several(on) {
    const first = [...this.#pictures.keys()].find((input) => input.checked);
    for (const input of this.#pictures.keys()) input.type = on ? "checkbox" : "radio";
    if (first) this.#select(first);
  }

  /**
   * @param {Sample[]} samples
   * @param {URL} folder
   */
  addSamples(samples, folder) {
    for (const { label, category, file, thumbnail } of samples) {
      const url = new URL(file, folder).href;
      const bytes = async () => (await fetch(url)).blob();
      const tile = this.#tile({ url, label, category, bytes }, new URL(thumbnail, folder).href);
      this.#tiles.append(tile);
    }
    this.#select(this.#tiles.querySelector("input:not([type=file])"));
  }

  /**
   * Take a picture of the visitor's, if it is one.
   *
   * @param {Blob} blob
   * @param {string} [label]
   */
  async addOwn(blob, label = "Your own") {
    const url = URL.createObjectURL(blob);
    if (!ACCEPTED_TYPES.includes(blob.type) || !(await isPicture(url))) {
      URL.revokeObjectURL(url);
      this.complain("This file is not a picture. Choose a JPEG, PNG or WebP.");
      return;
    }
    const tile = this.#tile({ url, label, bytes: async () => blob }, url);
    this.#tiles.children[0].after(tile);
    this.#select(tile.querySelector("input"));
    this.#tiles.scrollTo({ left: 0 });
  }

  /** Say what is wrong with the choice; an empty text takes it back. @param {string} text */
  complain(text) {
    this.#hint.textContent = text;
    this.#hint.hidden = !text;
    this.#root.classList.toggle("invalid", Boolean(text));
  }

  /** @param {HTMLInputElement | null} radio */
  #select(radio) {
    if (!radio) return;
    radio.checked = true;
    this.#chosen(/** @type {Picture} */ (this.#pictures.get(radio)));
  }

  /** @param {Picture} picture */
  #chosen(picture) {
    this.complain("");
    this.#onChoice(picture);
  }

  /**
   * @param {Picture} picture
   * @param {string} thumbnail
   */
  #tile(picture, thumbnail) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("tile"));
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const tile = /** @type {HTMLElement} */ (copy.firstElementChild);
    const radio = /** @type {HTMLInputElement} */ (tile.querySelector("input"));
    const image = /** @type {HTMLImageElement} */ (tile.querySelector("img"));
    radio.name = this.#root.id;
    radio.type = [...this.#pictures.keys()][0]?.type ?? radio.type;
    image.src = thumbnail;
    image.alt = tile.title = picture.label;
    this.#pictures.set(radio, picture);
    return tile;
  }
}

/**
 * Whether the browser can show it, whatever its name and declared type say.
 *
 * @param {string} url
 */
async function isPicture(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return true;
  } catch {
    return false;
  }
}

/**
 * Let files be dropped on an element.
 *
 * @param {HTMLElement} element
 * @param {(file: File) => void} take
 */
export function acceptDrops(element, take) {
  const over = (/** @type {boolean} */ on) => element.classList.toggle("over", on);
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  element.addEventListener("dragleave", () => over(false));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}
