// The page offline. The gateway puts two lines before this: VERSION, a hash over all files, and FILES, the digest of each.
// A version is kept whole or not at all: while one gateway takes another's place, files of both may come. The page goes over
// to a new version when its person reloads.

const CACHE = `packtrace-${VERSION}`;

self.addEventListener("install", (event) => event.waitUntil(keepAll()));

async function keepAll() {
  const cache = await caches.open(CACHE);
  try {
    await Promise.all(Object.entries(FILES).map(([name, digest]) => keep(cache, name, digest)));
  } catch (error) {
    await caches.delete(CACHE);
    throw error; // the version before goes on, and the page has this one tried again
  }
}

async function keep(cache, name, digest) {
  const answer = await fetch(new Request(name, { cache: "no-cache" }));
  const content = await answer.clone().arrayBuffer();
  const found = Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", content)), (byte) => byte.toString(16).padStart(2, "0"));
  if (!answer.ok || found.join("") !== digest) throw new Error(`${name} is not of version ${VERSION}`);
  await cache.put(name, answer);
}

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("packtrace-") && name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("message", ({ data }) => {
  if (data === "go over") self.skipWaiting();
});

// Only the page's own files: what it asks the gateway and the node is never kept here.
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || !event.request.url.startsWith(self.registration.scope)) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE);
      return (await cache.match(event.request, { ignoreSearch: true })) ?? fetch(event.request);
    })(),
  );
});
