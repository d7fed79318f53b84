// Puts the page together.

/** Milliseconds without a change after which a prediction is read out. */
const QUIET = 800;

const model = new Model(JSON.parse(byId("model").textContent));
const result = new Result(model);
const drawing = new Drawing(byId("paper"), model.side, changed);
const pen = new KeyboardPen(byId("pen"), drawing, say);
let frame = null;
let quiet = null;

/** Read a line out, to users of screen readers. @param {string} line */
function say(line) {
  byId("status").textContent = line;
}

/** @returns {?Uint8Array} the field of the drawing; null if nothing is drawn */
function currentField() {
  drawing.paint();
  return fieldOf(drawing.picture(), model.side);
}

function refresh() {
  frame = null;
  const line = result.show(currentField());
  clearTimeout(quiet);
  quiet = setTimeout(say, QUIET, line);
}

/** Update the page, at most once a frame of the screen. */
function changed() {
  if (frame === null) frame = requestAnimationFrame(refresh);
}

drawWithPointer(byId("paper"), drawing);
drawWithKeyboard(byId("paper"), pen);
byId("undo").addEventListener("click", () => drawing.undo());
byId("clear").addEventListener("click", () => drawing.clear());

/** For tests, and for the console. */
window.dlt = {
  /** @param {number[]} x pixels in [0, 1), row after row @returns {number[]} */
  probabilities: (x) => Array.from(model.probabilities(Float32Array.from(x))),

  /** @returns {?number[]} what the model sees, pixels in [0, 1); null if nothing is drawn */
  field: () => {
    const field = currentField();
    return field && Array.from(pixels(field));
  },

  /** Replace the drawing by these strokes. @param {Point[][]} strokes */
  draw: (strokes) => drawing.replace(strokes),
};
