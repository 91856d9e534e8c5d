// Bytes become pictures; contrast is a table of 256 greys, so that all tiles change at once.
export class Painter {
  // range: the deviations that the bytes 0 and 255 stand for.
  constructor(range) {
    this.range = range;
    this.greys = new Uint32Array(256);
    this.sheets = new Map();
    this.setContrast(50, false);
  }

  // contrast 0..100: the deviations from black to white shrink from 15 to 2; 50 shows about -1.3 to 4.1.
  setContrast(contrast, invert) {
    const [low, high] = this.range;
    const width = 15 * (2 / 15) ** (contrast / 100);
    const black = -0.24 * width, white = 0.76 * width;
    for (let byte = 0; byte < 256; byte++) {
      const deviations = low + ((high - low) * byte) / 255;
      const part = Math.min(1, Math.max(0, (deviations - black) / (white - black)));
      const grey = Math.round(255 * (invert ? 1 - part : part));
      this.greys[byte] = (255 << 24) | (grey << 16) | (grey << 8) | grey;
    }
    this.limits = [black, white];
  }

  paint(canvas, bytes, side, plain = false) {
    if (canvas.width !== side) { canvas.width = side; canvas.height = side; }
    const { image, pixels } = this.#sheet(side);
    if (plain) for (let k = 0; k < pixels.length; k++) pixels[k] = 0xff000000 | (bytes[k] * 0x010101);
    else for (let k = 0; k < pixels.length; k++) pixels[k] = this.greys[bytes[k]];
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  }

  #sheet(side) {
    if (!this.sheets.has(side)) {
      const image = new ImageData(side, side);
      this.sheets.set(side, { image, pixels: new Uint32Array(image.data.buffer) });
    }
    return this.sheets.get(side);
  }
}
