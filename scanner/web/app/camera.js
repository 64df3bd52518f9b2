/**
 * The live camera: every frame gets the fast pass, every few frames the full one (in a worker of its own, so that the fast
 * pass never waits for it), and after a second without a read a frame goes to the gateway.
 */

const WANTED = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const FULL_EVERY = 6; // frames
const HELP_AFTER = 1000; // milliseconds without a read, and between two frames for the gateway
const HELP_QUALITY = 0.85; // of the JPEG
const MOST_LATE = 4000; // milliseconds: of a frame that is older another pack may be in hand by now

const policy = globalThis.trustedTypes?.createPolicy("packtrace", { createScriptURL: (url) => url });

/** A URL of a script of this page, as browsers with Trusted Types want it. @param {string} path from the page's folder */
export function scriptUrl(path) {
  const url = new URL(path, new URL("../", import.meta.url)).href;
  return policy ? policy.createScriptURL(url) : url;
}

/** One worker that looks at one picture at a time. */
class Reader {
  #worker = new Worker(scriptUrl("app/reader.worker.js"), { type: "module" });
  #done = null;
  #failed = null;

  constructor() {
    this.#worker.onerror = (event) => {
      this.#failed = new Error(event.message || "the barcode reader did not start");
      this.#done?.({ error: this.#failed });
    };
    this.#worker.onmessage = ({ data }) => this.#done?.(data);
  }

  get idle() {
    return this.#done === null;
  }

  /** @param {ImageBitmap} picture handed over @param {"fast" | "full"} pass */
  async read(picture, pass) {
    if (this.#failed) throw this.#failed;
    const answered = new Promise((resolve) => (this.#done = resolve));
    this.#worker.postMessage({ picture, pass }, [picture]);
    const { readings, error } = await answered;
    this.#done = null;
    if (error) throw new Error(String(error.message ?? error));
    return readings;
  }
}

/** They outlive the view: to start one takes longer than to read a code. */
let readers = null;

/** Have the readers ready, before the camera is. */
export function prepareReaders() {
  readers ??= { fast: new Reader(), full: new Reader() };
  return readers;
}

export class Camera {
  #kept = {};

  /**
   * @param {HTMLVideoElement} video
   * @param {{read: (readings: object[]) => boolean, trouble: (error: Error) => void, ended: () => void, waiting: () => void, help?: (picture: Blob) => Promise<object[]>}} to
   *   `read` is told of codes and says whether that was it; `ended` that the camera was taken away; `help` asks the gateway
   */
  constructor(video, to) {
    this.video = video;
    this.to = to;
    this.looked = 0;
    this.frames = 0;
    this.running = false;
  }

  /** @throws {DOMException} where there is no camera, or the page may not use it */
  async start() {
    this.running = true;
    const stream = await navigator.mediaDevices.getUserMedia({ video: WANTED, audio: false });
    if (!this.running) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    [this.track] = stream.getVideoTracks();
    this.track.addEventListener("ended", () => this.running && this.to.ended());
    ({ fast: this.fast, full: this.full } = prepareReaders());
    this.video.srcObject = stream;
    await this.video.play();
    this.quietSince = performance.now();
    performance.mark("packtrace: camera");
    this.#next();
  }

  stop() {
    this.running = false;
    this.track?.stop();
    this.video.srcObject = null;
  }

  /** What this camera can: `{torch, zoom: {min, max, step, value} | null, focus}`. */
  get abilities() {
    const can = this.track?.getCapabilities?.() ?? {};
    const { min, max, step } = can.zoom ?? {};
    const zoom = max > min ? { min, max, step, value: this.track.getSettings().zoom ?? min } : null;
    const torch = [can.torch].flat().includes(true); // true, or a list of what it can be: browsers differ
    return { torch, zoom, focus: can.focusMode?.includes("single-shot") ?? false };
  }

  torch(on) {
    return this.#keep({ torch: on });
  }

  /** A slider asks faster than a camera follows: what was asked last counts. */
  async zoom(value) {
    this.zoomTo = value;
    if (this.zooming) return;
    this.zooming = true;
    try {
      while (this.#kept.zoom !== this.zoomTo) await this.#keep({ zoom: this.zoomTo });
    } finally {
      this.zooming = false;
    }
  }

  /** Focus once on a place. @param {number} x @param {number} y in the element, in CSS pixels */
  focus(x, y) {
    return this.#apply({ ...this.#kept, pointsOfInterest: [this.#inPicture(x, y)], focusMode: "single-shot" });
  }

  /** What is asked for takes the place of all that was asked for before, so what is to stay is asked for again. */
  async #keep(wish) {
    await this.#apply({ ...this.#kept, ...wish });
    Object.assign(this.#kept, wish);
  }

  #apply(wishes) {
    return this.track.applyConstraints({ advanced: [wishes] });
  }

  /** A place in the element as one in the picture, from 0 to 1: the picture covers the element, and is cut at two sides. */
  #inPicture(x, y) {
    const { videoWidth, videoHeight, clientWidth, clientHeight } = this.video;
    const scale = Math.max(clientWidth / videoWidth, clientHeight / videoHeight);
    const place = (at, shown, whole) => Math.min(1, Math.max(0, 0.5 + (at - shown / 2) / (scale * whole)));
    return { x: place(x, clientWidth, videoWidth), y: place(y, clientHeight, videoHeight) };
  }

  #next() {
    if (!this.running) return;
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(() => this.#frame());
    else requestAnimationFrame(() => this.#frame());
  }

  #frame() {
    this.#next();
    if (!this.running || this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.frames++;
    if (this.fast.idle) this.#look(this.fast, "fast");
    if (this.frames % FULL_EVERY === 0 && this.full.idle) this.#look(this.full, "full");
    const quiet = performance.now() - this.quietSince;
    if (quiet > HELP_AFTER) {
      this.quietSince = performance.now();
      this.to.waiting();
      if (this.to.help) this.#ask();
    }
  }

  async #look(reader, pass) {
    try {
      const picture = await createImageBitmap(this.video);
      if (!reader.idle || !this.running) return picture.close();
      const readings = await reader.read(picture, pass);
      this.video.dataset.looked = String(++this.looked);
      this.#found(readings);
    } catch (error) {
      if (this.running) this.to.trouble(error);
    }
  }

  /** One frame to the gateway's own pipeline. */
  async #ask() {
    const taken = performance.now();
    const { videoWidth: width, videoHeight: height } = this.video;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    try {
      const readings = await this.to.help(await canvas.convertToBlob({ type: "image/jpeg", quality: HELP_QUALITY }));
      if (performance.now() - taken < MOST_LATE) this.#found(readings);
    } catch {
      // no help is no harm: the phone looks on
    }
  }

  #found(readings) {
    if (!this.running || readings.length === 0) return;
    this.quietSince = performance.now();
    if (!this.to.read(readings)) return;
    this.running = false;
    performance.mark("packtrace: read");
  }
}
