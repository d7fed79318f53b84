// From a drawing to the field that the model sees: the steps of dlt.read_picture, rounded where
// it rounds. It does not look for background, grain and specks, because the page knows what is ink.
// (So ink along most of the paper's edge stays ink, and so does a dot that the edge cuts off.)

/** Drawings fainter than this, of 255, count as empty. */
const MIN_CONTRAST = 32;

/** Pillow resizes with whole numbers that have 22 bits after the point. */
const PRECISION = 2 ** 22;

/** A grey picture. @typedef {{grey: Uint8Array, width: number, height: number}} Picture */

/**
 * Round to the nearest whole number, and halves to the even one, as Python and numpy do.
 * @param {number} value 0 or more
 * @returns {number}
 */
function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** @param {Uint8Array} values @returns {number} */
function greatest(values) {
  return values.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * Remove the faintest tenth, the pen's soft edge, and stretch the rest to 0..255.
 * @param {Picture} picture
 * @returns {Picture}
 */
function cleaned({ grey, width, height }) {
  const peak = greatest(grey);
  const floor = Math.fround(0.1 * peak);
  const factor = Math.fround(255 / (peak - 0.1 * peak));
  const clean = grey.map((g) => {
    const ink = Math.fround(Math.fround(g - floor) * factor);
    return roundHalfEven(Math.min(255, Math.max(0, ink)));
  });
  return { grey: clean, width, height };
}

/**
 * Cut to the rows and columns with clear ink.
 * @param {Picture} picture
 * @returns {Picture}
 */
function cropped({ grey, width, height }) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (grey[y * width + x] < 64) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  const rows = [];
  for (let y = top; y <= bottom; y++) {
    rows.push(...grey.subarray(y * width + left, y * width + right + 1));
  }
  return { grey: Uint8Array.from(rows), width: right - left + 1, height: bottom - top + 1 };
}

/**
 * Lanczos's window with three lobes.
 * @param {number} x
 * @returns {number}
 */
function lanczos(x) {
  if (x === 0) return 1;
  if (x < -3 || x >= 3) return 0;
  const angle = Math.PI * x;
  return (Math.sin(angle) / angle) * (Math.sin(angle / 3) / (angle / 3));
}

/**
 * Find which pixels of a line make each pixel of the scaled line, and the share of each.
 * @param {number} from length of the line
 * @param {number} to length of the scaled line
 * @returns {{first: number, weights: number[]}[]} one for each pixel of the scaled line
 */
function shares(from, to) {
  const scale = from / to;
  const stretch = Math.max(scale, 1); // when scaled down, a pixel is made of more pixels
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 3 * stretch + 0.5));
    const end = Math.min(from, Math.trunc(centre + 3 * stretch + 0.5));
    const raw = [];
    for (let j = first; j < end; j++) raw.push(lanczos((j - centre + 0.5) / stretch));
    const sum = raw.reduce((a, b) => a + b, 0);
    const whole = (share) => Math.trunc((share / sum) * PRECISION + (share < 0 ? -0.5 : 0.5));
    return { first, weights: raw.map(whole) };
  });
}

/**
 * Scale the lines of a picture to another length, and turn it on its side.
 * Done twice, it gives a scaled picture, upright again.
 * @param {Picture} picture
 * @param {number} length of each line
 * @returns {Picture}
 */
function scaledAcross({ grey, width, height }, length) {
  const turned = new Uint8Array(length * height);
  shares(width, length).forEach(({ first, weights }, x) => {
    for (let y = 0; y < height; y++) {
      let sum = PRECISION / 2;
      for (let j = 0; j < weights.length; j++) sum += weights[j] * grey[y * width + first + j];
      turned[x * height + y] = Math.min(255, Math.max(0, Math.floor(sum / PRECISION)));
    }
  });
  return { grey: turned, width: height, height: length };
}

/**
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
function resized(picture, width, height) {
  return scaledAcross(scaledAcross(picture, width), height);
}

/**
 * Scale in proportion, so that the longest side has a given length.
 * @param {Picture} picture
 * @param {number} longest
 * @returns {Picture}
 */
function scaled(picture, longest) {
  const most = Math.max(picture.width, picture.height);
  const fitted = (n) => Math.max(1, roundHalfEven((n * longest) / most));
  return resized(picture, fitted(picture.width), fitted(picture.height));
}

/**
 * Stretch the greys so that the brightest is 255: a thin pen fades when it is scaled down.
 * @param {Picture} picture
 * @returns {Picture}
 */
function brightened({ grey, width, height }) {
  const factor = 255 / greatest(grey);
  return { grey: grey.map((g) => roundHalfEven(g * factor)), width, height };
}

/**
 * Compute the centre of mass.
 * @param {Picture} picture not all 0
 * @returns {{x: number, y: number}} in pixels, from the middle of the first one
 */
function centreOfMass({ grey, width }) {
  let [mass, x, y] = [0, 0, 0];
  grey.forEach((g, i) => {
    mass += g;
    x += g * (i % width);
    y += g * Math.floor(i / width);
  });
  return { x: x / mass, y: y / mass };
}

/**
 * Place a picture in a black field, its centre of mass in the middle.
 * @param {Picture} picture
 * @param {number} side of the field
 * @returns {Uint8Array} side * side greys, row after row
 */
function centred(picture, side) {
  const centre = centreOfMass(picture);
  const place = (c, size) => Math.min(side - size, Math.max(0, Math.ceil(side / 2 - 0.5 - c)));
  const left = place(centre.x, picture.width);
  const top = place(centre.y, picture.height);
  const field = new Uint8Array(side * side);
  for (let y = 0; y < picture.height; y++) {
    const row = picture.grey.subarray(y * picture.width, (y + 1) * picture.width);
    field.set(row, (top + y) * side + left);
  }
  return field;
}

/**
 * Prepare a drawing as MNIST's digits were.
 * @param {Picture} picture
 * @param {number} side of the field
 * @returns {Uint8Array} side * side greys, row after row
 */
function normalized(picture, side) {
  const box = Math.max(1, roundHalfEven((side * 20) / 28));
  return centred(brightened(scaled(cropped(cleaned(picture)), box)), side);
}

/**
 * Turn a drawing into the field that the model sees.
 * @param {Picture} picture 0 where the paper is bare, 255 where the ink is full
 * @param {Model} model
 * @returns {?Uint8Array} height * width greys, row after row; null if the paper is bare
 */
function fieldOf(picture, { width, height, isCentred, isLight }) {
  if (greatest(picture.grey) < MIN_CONTRAST) return null;
  const field = isCentred ? normalized(picture, width) : resized(picture, width, height).grey;
  return isLight ? field.map((value) => 255 - value) : field;
}
