// @ts-check
/** What goes with what is tried on: only where the server recommends, and only when asked. */

/**
 * @typedef {import("./client.js").TryOnClient} TryOnClient
 * @typedef {import("./client.js").RecommendationRequest} RecommendationRequest
 * @typedef {import("./client.js").Recommendation} Recommendation
 * @typedef {import("./client.js").Product} Product
 */

const HEALTH = new URL("/health", import.meta.url);
const SHOWN = 8;
const AWAY = { gemini: "by colour alone", ebay: "from earlier searches" };

export class Suggestions {
  #root = element("suggestions");
  #told = element("suggestions-told");
  #goods = element("goods");
  #ask = /** @type {HTMLButtonElement} */ (element("suggest"));
  #client;
  #isOn = isOn();
  /** @type {(() => Promise<RecommendationRequest>) | null} */
  #worn = null;
  /** @type {AbortController | null} */
  #asking = null;

  /** @param {TryOnClient} client */
  constructor(client) {
    this.#client = client;
    this.#ask.addEventListener("click", () => this.#suggest());
    this.#isOn.then((on) => void (element("elsewhere").hidden = !on));
  }

  /** Offer to ask, once something is tried on. @param {() => Promise<RecommendationRequest>} worn */
  async offer(worn) {
    this.hide();
    this.#worn = worn;
    if ((await this.#isOn) && this.#worn === worn) this.#root.hidden = false;
  }

  /** What is tried on is no longer shown. */
  hide() {
    this.#asking?.abort();
    this.#worn = null;
    this.#root.hidden = true;
    this.#told.textContent = "";
    this.#goods.replaceChildren();
    this.#ask.disabled = false;
  }

  async #suggest() {
    if (!this.#worn) return;
    const call = new AbortController();
    this.#asking = call;
    this.#ask.disabled = true;
    this.#told.textContent = "Looking …";
    try {
      const request = { ...(await this.#worn()), maxResults: SHOWN };
      const found = await this.#client.recommend(request, { signal: call.signal });
      if (!call.signal.aborted) this.#show(found);
    } catch (error) {
      if (!call.signal.aborted) this.#told.textContent = messageOf(error);
    } finally {
      if (this.#asking === call) this.#ask.disabled = false;
    }
  }

  /** @param {Recommendation} found */
  #show(found) {
    const notes = found.degradedServices.map((name) => AWAY[/** @type {"gemini"} */ (name)]);
    const told = [found.keywords.join(" · "), ...notes];
    if (found.standIns) told.push("invented here: stand-ins for Gemini and eBay");
    this.#told.textContent = told.join(" — ");
    this.#goods.replaceChildren(...found.products.map((one) => cardOf(one, found.standIns)));
  }
}

/** @param {Product} product @param {boolean} isInvented */
function cardOf(product, isInvented) {
  const [item, link, name, price] = ["li", "a", "span", "b"].map((tag) => document.createElement(tag));
  const page = /** @type {HTMLAnchorElement} */ (link);
  page.href = product.ebay_url;
  page.target = "_blank";
  page.rel = "noopener noreferrer sponsored";
  name.textContent = product.name;
  price.textContent = priceOf(product);
  page.append(isInvented ? document.createElement("i") : pictureOf(product), name, price);
  item.append(page);
  return item;
}

/** @param {Product} product */
function pictureOf(product) {
  const picture = document.createElement("img");
  picture.referrerPolicy = "no-referrer";
  picture.loading = "lazy";
  picture.alt = "";
  picture.src = product.image_url;
  return picture;
}

/** @param {Product} product */
function priceOf({ price, currency }) {
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(price);
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : "Nothing was found.";
}

/** Whether this server recommends. @returns {Promise<boolean>} */
async function isOn() {
  try {
    const health = await (await fetch(HEALTH)).json();
    return health.features?.recommendations?.on === true;
  } catch {
    return false;
  }
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
