// Small pictures: one square for each pixel that the model sees.

/**
 * Colours of the ends and the middle of the scale, as in dlt.plot_weights, whose ends are darker.
 * Colour-blind readers can tell them apart.
 */
const AGAINST = [178, 24, 43];
const NEUTRAL = [247, 247, 247];
const FOR = [33, 102, 172];

/**
 * Return the colour of a value.
 * @param {number} value from -1 to 1
 * @returns {number[]} red, green, blue
 */
function diverging(value) {
  const end = value < 0 ? AGAINST : FOR;
  const share = Math.min(1, Math.abs(value));
  return NEUTRAL.map((neutral, i) => neutral + share * (end[i] - neutral));
}

/** @param {number} value from 0 to 255 @returns {number[]} */
function grey(value) {
  return [value, value, value];
}

/**
 * Paint values, one pixel each.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values row after row
 * @param {number} width
 * @param {function(number): number[]} colour
 */
function paintPixels(canvas, values, width, colour) {
  canvas.width = width;
  canvas.height = values.length / width;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < values.length; i++) image.data.set([...colour(values[i]), 255], 4 * i);
  context.putImageData(image, 0, 0);
}
