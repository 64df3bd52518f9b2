// The page offline. The gateway puts two lines before this: VERSION, a hash over all files, and FILES, their names.
// A version is kept whole or not at all; the page goes over to a new one when its person reloads.

const CACHE = `packtrace-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map((name) => new Request(name, { cache: "no-cache" })))));
});

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
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(self.registration.scope)) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE);
      const wanted = event.request.mode === "navigate" ? self.registration.scope : event.request;
      return (await cache.match(wanted, { ignoreSearch: true })) ?? fetch(event.request);
    })(),
  );
});
