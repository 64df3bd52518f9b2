/** What the phone keeps (IndexedDB): settings, the last verdict on each pack, and a queue that survives closing the page. */

const NAME = "packtrace";
const VERSION = 1;
const MAX_PACKS = 2000; // last verdicts that are kept; the oldest go

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("settings");
      request.result.createObjectStore("packs", { keyPath: "uri" }).createIndex("time", "time");
      request.result.createObjectStore("queue", { keyPath: "id" });
    };
    request.onsuccess = () => {
      request.result.onclose = () => (opened = null); // the browser took it away: the next one asks for it again
      resolve(request.result);
    };
    request.onerror = () => {
      opened = null;
      reject(request.error);
    };
  });
  return opened;
}

/** One transaction on one store; durable once this resolves (a queued scan outlives a power cut). */
async function within(store, mode, work) {
  const transaction = (await database()).transaction(store, mode, { durability: "strict" });
  const request = work(transaction.objectStore(store));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
  return request?.result;
}

export const settings = {
  get: (name) => within("settings", "readonly", (store) => store.get(name)),
  put: (name, value) => within("settings", "readwrite", (store) => store.put(value, name)),
};

/** Last verdicts: `{uri, scan, time, key, kind}` (no key: there was none yet), and of a dispensing `operation` (to be undone) and `request` (its end is not known). */
export const packs = {
  get: (uri) => within("packs", "readonly", (store) => store.get(uri)),
  recent: async (count) => (await within("packs", "readonly", (store) => store.index("time").getAll())).reverse().filter(({ key }) => key).slice(0, count),
  /**
   * Change what is known of a pack, in one transaction: nothing is lost of what the queue or another tab learns meanwhile.
   * @param {string} uri @param {(before: object | undefined) => object} change @returns what is known then
   */
  async update(uri, change) {
    let after;
    await within("packs", "readwrite", (store) => {
      store.get(uri).onsuccess = ({ target }) => store.put((after = change(target.result)));
    });
    const old = (await within("packs", "readonly", (store) => store.index("time").getAllKeys())).slice(0, -MAX_PACKS);
    if (old.length) await within("packs", "readwrite", (store) => old.forEach((one) => store.delete(one)));
    return after;
  },
};

/** What is to be done when there is a connection, oldest first: `{id, time, action, scan, …}`. */
export const queue = {
  all: async () => (await within("queue", "readonly", (store) => store.getAll())).sort((a, b) => a.time - b.time),
  has: async (id) => (await within("queue", "readonly", (store) => store.count(id))) > 0,
  put: (item) => within("queue", "readwrite", (store) => store.put(item)),
  remove: (id) => within("queue", "readwrite", (store) => store.delete(id)),
};

/** Forget all of it. */
export async function forget() {
  for (const store of ["settings", "packs", "queue"]) await within(store, "readwrite", (all) => all.clear());
}
