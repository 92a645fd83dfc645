// pixels: a square of a picture at the side that a network looks at, without aliasing; the same in every browser.
const MOST = 2048; // px of a square's side that are read as they are: what memory it takes is bounded

export const range = (count) => [...Array(count).keys()];

// A file as a picture: upright as its camera was held, its colours as they are stored. Rejects what is none.
export const decoded = (file) =>
  createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });

// The square of a file's picture as (side, side, 4) RGBA.
export async function cut(file, square, side) {
  const bitmap = await decoded(file);
  const first = square.side < side ? side : Math.min(square.side, MOST);
  const canvas = Object.assign(document.createElement("canvas"), { width: first, height: first });
  const drawn = canvas.getContext("2d", { willReadFrequently: true });
  drawn.imageSmoothingQuality = "high";
  drawn.drawImage(bitmap, square.left, square.top, square.side, square.side, 0, 0, first, first);
  bitmap.close();
  return shrunk(drawn.getImageData(0, 0, first, first).data, first, side);
}

// (from, from, 4) as (side, side, 4), each pixel the mean of what it covers: cv2.INTER_AREA.
export function shrunk(rgba, from, side) {
  return from === side ? rgba : Uint8ClampedArray.from(across(across(rgba, from, from, side), from, side, side));
}

// (lines, from, 4) as (side, lines, 4): each line shrunk, then lines and columns change places.
function across(source, from, lines, side) {
  const out = new Float32Array(side * lines * 4), scale = from / side;
  for (let x = 0; x < side; x++) {
    const start = x * scale, end = Math.min(from, start + scale);
    for (let i = Math.floor(start); i < end; i++) {
      const weight = (Math.min(i + 1, end) - Math.max(i, start)) / scale;
      for (let y = 0; y < lines; y++)
        for (let c = 0; c < 4; c++) out[(x * lines + y) * 4 + c] += weight * source[(y * from + i) * 4 + c];
    }
  }
  return out;
}
