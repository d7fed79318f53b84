// Puts the page together.

/** Milliseconds without a change after which a prediction is read out. */
const QUIET = 800;

const model = new Model(JSON.parse(byId("model").textContent));
const result = new Result(model);
const drawing = new Drawing(byId("paper"), model.side, changed);
const pen = new KeyboardPen(byId("pen"), drawing, say);
let frame = null;
let quiet = null;

/** Read a line out, to who listens to the page. @param {string} line */
function say(line) {
  byId("status").textContent = line;
}

/** @returns {?Uint8Array} the field of what is drawn now; null if that is nothing */
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

/** Show the page anew, but not more often than the screen does. */
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

  /** Draw these strokes in place of what is drawn. @param {Point[][]} strokes */
  draw: (strokes) => drawing.replace(strokes),
};
