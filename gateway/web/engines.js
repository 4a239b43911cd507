// @ts-check
/** Which engine dresses, and how well: choices where there are some, and what each has to be told. */

/**
 * @typedef {import("./client.js").Engine} Engine
 * @typedef {import("./client.js").TryOnRequest} TryOnRequest
 */

const SEEDS = 2 ** 32;
const BEST = "quality";
const PREVIEW_EVERY = 3;

export class EngineChoice {
  /** @type {Engine[]} the default one first */
  #engines = [];
  #root;
  #presets;

  /**
   * @param {HTMLFieldSetElement} root
   * @param {HTMLFieldSetElement} presets
   * @param {() => void} onChoice
   */
  constructor(root, presets, onChoice) {
    this.#root = root;
    this.#presets = presets;
    root.addEventListener("change", () => this.#offerPresets());
    for (const choice of [root, presets]) choice.addEventListener("change", onChoice);
  }

  /** Take the engines that are ready; more than one are a choice. @param {Engine[]} all */
  offer(all) {
    this.#engines = all.filter((engine) => engine.ready);
    this.#root.hidden = this.#engines.length < 2;
    const tiles = this.#engines.map(({ engine, is_default }) => tileOf("engine", engine, is_default));
    if (!this.#root.hidden) this.#root.querySelector(".segments")?.replaceChildren(...tiles);
    this.#offerPresets();
  }

  /** Offer the presets of the chosen engine; one that is told none takes its own numbers. */
  #offerPresets() {
    const names = Object.keys(this.#chosen?.presets ?? {});
    const tiles = names.map((name) => tileOf("preset", name, name === BEST));
    this.#presets.hidden = names.length < 2;
    this.#presets.querySelector(".segments")?.replaceChildren(...tiles);
  }

  /** How long the engine may take, in seconds. @returns {number | undefined} */
  get deadlineS() {
    return this.#chosen?.deadline_s;
  }

  /**
   * What a try-on has to say of the engine. Asked for `again`, one that draws by chance gets
   * another seed, because the same request would be the same picture.
   *
   * @param {{again: boolean}} situation
   * @returns {Pick<TryOnRequest, "engine" | "preset" | "seed" | "previewEvery">}
   */
  options({ again }) {
    const chosen = this.#chosen;
    const honours = (/** @type {string} */ name) => chosen?.options.includes(name);
    const draws = again && honours("seed") && honours("steps");
    return {
      engine: this.#root.hidden ? undefined : chosen?.engine,
      preset: this.#presets.querySelector(":checked")?.getAttribute("value") ?? undefined,
      previewEvery: honours("preview_every") ? PREVIEW_EVERY : undefined,
      seed: draws ? Math.floor(Math.random() * SEEDS) : undefined,
    };
  }

  /** @returns {Engine | undefined} */
  get #chosen() {
    const name = this.#root.querySelector(":checked")?.getAttribute("value");
    return this.#engines.find(({ engine }) => engine === name) ?? this.#engines[0];
  }
}

/**
 * @param {string} choice
 * @param {string} value
 * @param {boolean} isChecked
 */
function tileOf(choice, value, isChecked) {
  const tile = document.createElement("label");
  const radio = document.createElement("input");
  const name = document.createElement("span");
  Object.assign(radio, { type: "radio", name: choice, className: "unseen" });
  radio.value = value;
  radio.checked = isChecked;
  name.textContent = value;
  tile.append(radio, name);
  return tile;
}
