// @ts-check
/** Which engine dresses: a choice where more than one is ready, and what each has to be told. */

/**
 * @typedef {import("./client.js").Engine} Engine
 * @typedef {import("./client.js").TryOnRequest} TryOnRequest
 */

const SEEDS = 2 ** 32;

export class EngineChoice {
  /** @type {Engine[]} the default one first */
  #engines = [];
  #root;

  /**
   * @param {HTMLFieldSetElement} root
   * @param {() => void} onChoice
   */
  constructor(root, onChoice) {
    this.#root = root;
    root.addEventListener("change", onChoice);
  }

  /** Take the engines that are ready; more than one are a choice. @param {Engine[]} all */
  offer(all) {
    this.#engines = all.filter((engine) => engine.ready);
    this.#root.hidden = this.#engines.length < 2;
    if (this.#root.hidden) return;
    this.#root.querySelector(".segments")?.replaceChildren(...this.#engines.map(tileOf));
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
   * @returns {Pick<TryOnRequest, "engine" | "seed">}
   */
  options({ again }) {
    const chosen = this.#chosen;
    const honours = (/** @type {string} */ name) => chosen?.options.includes(name);
    const draws = again && honours("seed") && honours("steps");
    return {
      engine: this.#root.hidden ? undefined : chosen?.engine,
      seed: draws ? Math.floor(Math.random() * SEEDS) : undefined,
    };
  }

  /** @returns {Engine | undefined} */
  get #chosen() {
    const name = this.#root.querySelector(":checked")?.getAttribute("value");
    return this.#engines.find(({ engine }) => engine === name) ?? this.#engines[0];
  }
}

/** @param {Engine} engine */
function tileOf(engine) {
  const tile = document.createElement("label");
  const radio = document.createElement("input");
  const name = document.createElement("span");
  Object.assign(radio, { type: "radio", name: "engine", className: "unseen" });
  radio.value = engine.engine;
  radio.checked = engine.is_default;
  name.textContent = engine.engine;
  tile.append(radio, name);
  return tile;
}
