// Puts the page together.

/** Milliseconds without a change after which a prediction is read out. */
const QUIET = 800;

const model = new Model(JSON.parse(byId("model").textContent));
const result = new Result(model);
const drawing = new Drawing(byId("paper"), model, changed);
const pen = new KeyboardPen(byId("pen"), drawing, say);
let frame = null;
let quiet = null;

/** Set the size of paper and pen: 22 rem for the longer side, if there is room. */
function fitPaper() {
  const share = drawing.width / Math.max(drawing.width, drawing.height);
  byId("paper").parentElement.style.maxWidth = `${22 * share}rem`;
  byId("pen").style.width = `${(100 * PEN * Math.min(drawing.width, drawing.height)) / drawing.width}%`;
}

/** Say a line to users of screen readers. @param {string} line */
function say(line) {
  byId("status").textContent = line;
}

/** @returns {?Uint8Array} the field of the drawing; null if nothing is drawn */
function currentField() {
  drawing.paint();
  return fieldOf(drawing.picture(), model);
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

fitPaper();
drawWithPointer(byId("paper"), drawing);
drawWithKeyboard(byId("paper"), pen);
byId("undo").addEventListener("click", () => drawing.undo());
byId("clear").addEventListener("click", () => drawing.clear());

/** For tests, and for the console. */
window.dlt = {
  /** @param {number[]} x pixels from 0 to 1, row after row @returns {number[]} */
  probabilities: (x) => Array.from(model.probabilities(Float32Array.from(x))),

  /** @returns {?number[]} what the model sees, from 0 to 1; null if nothing is drawn */
  field: () => {
    const field = currentField();
    return field && Array.from(model.inputs(field));
  },

  /** Replace the drawing by these strokes. @param {Point[][]} strokes */
  draw: (strokes) => drawing.replace(strokes),
};
