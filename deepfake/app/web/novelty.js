// novelty: how far pictures are from the training data: deepfake/novelty.py once more; there are its sources.
import { range } from "./pixels.js";

const BLOCK = 8; // px
const WAVES = range(BLOCK).map((k) => range(BLOCK).map((i) =>
  Math.sqrt((k ? 2 : 1) / BLOCK) * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * BLOCK))));

// (195,): what a picture, (side, side, 4) RGBA, looks like.
export function look(rgba, side) {
  const whole = Math.floor(side / BLOCK);
  const [sums, squares, block] = range(3).map(() => range(3).map(() => new Float64Array(BLOCK ** 2)));
  for (let b = 0; b < whole ** 2; b++) {
    for (let p = 0; p < BLOCK ** 2; p++) {
      const y = Math.floor(b / whole) * BLOCK + Math.floor(p / BLOCK), x = (b % whole) * BLOCK + (p % BLOCK);
      ycrcb(rgba, 4 * (y * side + x)).forEach((value, c) => { block[c][p] = value; });
    }
    block.forEach((values, c) => dct(dct(values)).forEach((value, k) => {
      sums[c][k] += value;
      squares[c][k] += value ** 2;
    }));
  }
  return range(3).flatMap((c) => {
    const means = [...sums[c]].map((sum) => sum / whole ** 2);
    const spread = means.map((mean, k) => Math.log1p(Math.sqrt(Math.max(0, squares[c][k] / whole ** 2 - mean ** 2))));
    return [...spread, means[0] / 64];
  });
}

// How far the mean of looks is from the training's tracks, near 1 for its own: Gaussian.distance.
export function distance({ mean, axes, variances, rest }, looks) {
  const x = mean.map((value, d) => looks.reduce((sum, values) => sum + values[d], 0) / looks.length - value);
  let off = x.reduce((sum, value) => sum + value ** 2, 0), squares = 0;
  axes.forEach((axis, k) => {
    const along = axis.reduce((sum, value, d) => sum + value * x[d], 0) ** 2;
    squares += along / Math.max(variances[k], rest[0]);
    off -= along;
  });
  return Math.sqrt((squares + Math.max(0, off) / rest[0]) / mean.length);
}

// The pixel as OpenCV converts it, in whole numbers.
function ycrcb(rgba, at) {
  const [r, g, b] = rgba.subarray(at, at + 3), y = (4899 * r + 9617 * g + 1868 * b + 8192) >> 14;
  const bounded = (value) => Math.min(255, Math.max(0, value));
  return [y, ...[[r, 11682], [b, 9241]].map(([colour, by]) => bounded(((colour - y) * by + (128 << 14) + 8192) >> 14))];
}

// The cosine transform of each row of a block, which is turned over: twice is that of the block.
function dct(block) {
  const out = new Float64Array(BLOCK ** 2);
  for (let y = 0; y < BLOCK; y++)
    for (let k = 0; k < BLOCK; k++)
      for (let i = 0; i < BLOCK; i++) out[k * BLOCK + y] += WAVES[k][i] * block[y * BLOCK + i];
  return out;
}
