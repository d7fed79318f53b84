// The drawing: strokes on a canvas. The ink is black on nothing; the paper is the page's.

/** Width of the pen, as a part of the paper's shorter side: gives digits strokes like MNIST's. */
const PEN = 0.08;

/** Most pixels along a side of the canvas; read_picture averages larger pictures down first. */
const MAX_SIZE = 560;

/** A place on the paper, from 0 to 1. @typedef {{x: number, y: number}} Point */

/** Strokes, and the canvas that shows them. */
class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Model} model whose pictures have the shape of the paper
   * @param {function(): void} changed called after each change
   */
  constructor(canvas, { width, height }, changed) {
    const longest = Math.max(width, height);
    const scale = Math.min(MAX_SIZE, 40 * longest) / longest;
    this.width = canvas.width = Math.max(1, Math.round(scale * width));
    this.height = canvas.height = Math.max(1, Math.round(scale * height));
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.changed = changed;
    /** @type {Point[][]} */
    this.strokes = [];
    this.isDown = false;
  }

  /** Put the pen down. @param {Point} point */
  begin(point) {
    this.strokes.push([point]);
    this.isDown = true;
    this.changed();
  }

  /** Draw on; nothing while the pen is up. @param {Point} point */
  extend(point) {
    if (!this.isDown) return;
    this.strokes[this.strokes.length - 1].push(point);
    this.changed();
  }

  /** Lift the pen. */
  end() {
    this.isDown = false;
  }

  /** Undo the last stroke. */
  undo() {
    this.replace(this.strokes.slice(0, -1));
  }

  /** Remove all strokes. */
  clear() {
    this.replace([]);
  }

  /** Draw these strokes only. @param {Point[][]} strokes */
  replace(strokes) {
    this.end();
    this.strokes = strokes;
    this.changed();
  }

  /** Draw everything again. */
  paint() {
    const { context, width, height } = this;
    context.clearRect(0, 0, width, height);
    context.lineWidth = PEN * Math.min(width, height);
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      const [{ x: left, y: top }] = stroke;
      context.beginPath();
      if (stroke.every(({ x, y }) => x === left && y === top)) {
        // some browsers draw nothing for a line without length
        context.arc(left * width, top * height, context.lineWidth / 2, 0, 2 * Math.PI);
        context.fill();
      } else {
        for (const { x, y } of stroke) context.lineTo(x * width, y * height);
        context.stroke();
      }
    }
  }

  /** @returns {Picture} how much ink there is in each pixel of the canvas */
  picture() {
    const { width, height } = this;
    const { data } = this.context.getImageData(0, 0, width, height);
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i + 3]; // the opacity
    return { grey, width, height };
  }
}
