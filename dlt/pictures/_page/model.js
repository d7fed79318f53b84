// The model: logistic regression, softmax(x W + b), computed in float32 as dlt does.

/**
 * Decode float32 numbers, little-endian whatever this machine is.
 * @param {string} base64
 * @returns {Float32Array}
 */
function decodeFloats(base64) {
  const text = atob(base64);
  const bytes = new DataView(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) bytes.setUint8(i, text.charCodeAt(i));
  const floats = new Float32Array(text.length / 4);
  for (let i = 0; i < floats.length; i++) floats[i] = bytes.getFloat32(4 * i, true);
  return floats;
}

/**
 * Turn scores into probabilities.
 * The greatest score is subtracted first: e to the power of a large one would be infinite.
 * @param {Float32Array} scores
 * @returns {Float32Array} numbers that add up to 1
 */
function softmax(scores) {
  const greatest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(Math.fround(score - greatest)));
  const sum = powers.reduce((a, b) => Math.fround(a + b), 0);
  return powers.map((power) => power / sum);
}

/** A trained logistic regression. */
class Model {
  /**
   * @param {{W: string, b: string, labels: string[], height: number, width: number,
   *     isCentred: boolean, isLight: boolean, white: number}} saved
   *     W and b in base64, W with a row for each input; what the labels are called; and of the
   *     training pictures: their sides, whether they are centred as MNIST's are, whether their
   *     ground is light, and by what their greys were divided
   */
  constructor(saved) {
    this.labels = saved.labels;
    this.height = saved.height;
    this.width = saved.width;
    this.isCentred = saved.isCentred;
    this.isLight = saved.isLight;
    this.white = saved.white;
    this.W = decodeFloats(saved.W);
    this.b = decodeFloats(saved.b);
    this.nOut = this.b.length;
    this.nIn = this.W.length / this.nOut;
    /** The end of the colour scale, the same for all labels: 99 % of the weights are smaller. */
    this.limit = this.W.map(Math.abs).sort()[Math.floor(0.99 * (this.W.length - 1))];
  }

  /**
   * Turn greys into inputs, on the scale of the training data.
   * @param {Uint8Array} field
   * @returns {Float32Array}
   */
  inputs(field) {
    return Float32Array.from(field, (value) => value / this.white);
  }

  /**
   * Compute x W + b. Math.fround rounds a product to float32; the array rounds what is stored.
   * @param {Float32Array} x nIn pixels from 0 to 1
   * @returns {Float32Array} a score for each label
   */
  scores(x) {
    const scores = new Float32Array(this.nOut);
    for (let i = 0; i < this.nIn; i++) {
      if (x[i] === 0) continue;
      for (let k = 0; k < this.nOut; k++) {
        scores[k] += Math.fround(x[i] * this.W[i * this.nOut + k]);
      }
    }
    return scores.map((score, k) => score + this.b[k]);
  }

  /**
   * @param {Float32Array} x
   * @returns {Float32Array} the probability of each label
   */
  probabilities(x) {
    return softmax(this.scores(x));
  }

  /**
   * @param {number} label
   * @returns {Float32Array} its weights, one for each pixel
   */
  weights(label) {
    return Float32Array.from({ length: this.nIn }, (_, i) => this.W[i * this.nOut + label]);
  }
}
