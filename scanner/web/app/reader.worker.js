/** The barcode reader, away from the page's own thread. Script and WebAssembly are of one npm package, from this host. */

import { prepareZXingModule, readBarcodes } from "../zxing/reader/index.js";

prepareZXingModule({ overrides: { locateFile: (name) => new URL(`../zxing/${name}`, import.meta.url).href }, fireImmediately: true });

const COMMON = { formats: ["DataMatrix", "QRCode", "Code128"], textMode: "Plain", maxNumberOfSymbols: 8 };
const PASSES = {
  fast: { ...COMMON, tryHarder: false, tryRotate: false, tryInvert: false, tryDownscale: false, tryDenoise: false },
  full: { ...COMMON, tryHarder: true, tryRotate: true, tryInvert: true, tryDownscale: true, tryDenoise: false },
};
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });

self.onmessage = async ({ data: { picture, pass } }) => {
  try {
    const { width, height } = picture;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.drawImage(picture, 0, 0);
    picture.close();
    const found = await readBarcodes(context.getImageData(0, 0, width, height), PASSES[pass]);
    const readings = found.filter((one) => one.isValid).map(({ text, symbologyIdentifier: symbology, position }) => ({
      text, symbology, corners: [position.topLeft, position.topRight, position.bottomRight, position.bottomLeft], width, height,
    }));
    self.postMessage({ readings });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
