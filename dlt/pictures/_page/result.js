// What the page shows: probabilities, the field, the weights and their votes.

const EMPTY = "Nothing is drawn yet.";
const TOO_LARGE = "No answer: the model's numbers are too large.";

/** Labels with more characters get smaller letters. */
const LONG = 3;

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  return document.getElementById(id);
}

/** @param {number} value @returns {string} with a true minus sign */
function signed(value) {
  return value.toFixed(2).replace("-", "−");
}

/** @param {number} value @returns {string} with two significant digits */
function rounded(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

/** @param {number} p @returns {string} */
function percent(p) {
  return `${(100 * p).toFixed(1)} %`;
}

/**
 * Return the index of the greatest value; the first of several.
 * @param {ArrayLike<number>} values
 * @returns {number}
 */
function argmax(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}

/** The part of the page that changes with the drawing. */
class Result {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.rows = Array.from({ length: model.nOut }, (_, label) => this.addRow(label));
    this.paintLegend();
    this.showNothing(EMPTY);
  }

  /** Add a label's row to the table. @param {number} label @returns {HTMLTableRowElement} */
  addRow(label) {
    const row = byId("row").content.querySelector("tr").cloneNode(true);
    row.querySelector("th").textContent = this.model.labels[label];
    byId("bars").tBodies[0].append(row);
    return row;
  }

  paintLegend() {
    const values = Float32Array.from({ length: 201 }, (_, i) => i / 100 - 1);
    paintPixels(byId("legend"), values, values.length, diverging);
    byId("least").textContent = `against, ≤ ${rounded(-this.model.limit)}`;
    byId("most").textContent = `≥ ${rounded(this.model.limit)}, for`;
  }

  /**
   * Show what the model says about a drawing.
   * @param {?Uint8Array} field null if nothing is drawn
   * @returns {string} the answer in one line
   */
  show(field) {
    byId("invitation").hidden = field !== null;
    if (field === null) return this.showNothing(EMPTY);
    const x = this.model.inputs(field);
    const scores = this.model.scores(x);
    const probabilities = softmax(scores);
    if (!probabilities.every(Number.isFinite)) return this.showNothing(TOO_LARGE);
    const label = argmax(probabilities);
    this.showAnswer(label, probabilities[label]);
    this.rows.forEach((row, k) => this.showRow(row, probabilities[k], k === label));
    this.showWhy(field, x, label, scores[label]);
    return `${this.model.labels[label]}, probability ${percent(probabilities[label])}`;
  }

  /** Show why there is no answer. @param {string} reason @returns {string} the reason */
  showNothing(reason) {
    const blank = new Float32Array(this.model.nIn);
    byId("answer").textContent = reason;
    this.rows.forEach((row) => this.showRow(row, null, false));
    this.paint("field", blank.map(() => (this.model.isLight ? 255 : 0)), grey, "What the model sees: nothing yet");
    this.paint("weights", blank, diverging, "Weights: nothing yet");
    this.paint("votes", blank, diverging, "Votes: nothing yet");
    byId("weights-caption").textContent = "its weights";
    byId("votes-caption").textContent = "its votes";
    byId("sum").textContent = "Draw, and see which pixels decide.";
    return reason;
  }

  /** @param {number} label @param {number} p its probability */
  showAnswer(label, p) {
    const name = document.createElement("strong");
    name.textContent = this.model.labels[label];
    name.classList.toggle("long", name.textContent.length > LONG);
    byId("answer").replaceChildren(name, `with probability ${percent(p)}`);
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {?number} p the label's probability; null if there is none
   * @param {boolean} isWinner
   */
  showRow(row, p, isWinner) {
    row.classList.toggle("winner", isWinner);
    row.querySelector(".bar div").style.width = `${100 * (p || 0)}%`;
    row.querySelector(".number").textContent = p === null ? "–" : percent(p);
  }

  /**
   * @param {Uint8Array} field
   * @param {Float32Array} x the same as the model's inputs
   * @param {number} label the winner
   * @param {number} score of that label
   */
  showWhy(field, x, label, score) {
    const weights = this.model.weights(label);
    const votes = weights.map((weight, i) => x[i] * weight);
    const name = this.model.labels[label];
    const colour = (value) => diverging(value / (this.model.limit || 1));
    this.paint("field", field, grey, "What the model sees: your drawing, scaled");
    this.paint("weights", weights, colour, `Weights of label ${name}, as colours`);
    this.paint("votes", votes, colour, `Votes of the pixels on label ${name}, as colours`);
    byId("weights-caption").textContent = `weights of ${name}`;
    byId("votes-caption").textContent = `votes on ${name}`;
    byId("sum").textContent = sumOfVotes(name, score, this.model.b[label]);
  }

  /**
   * @param {string} id of the canvas
   * @param {ArrayLike<number>} values one pixel each
   * @param {function(number): number[]} colour
   * @param {string} name for screen readers
   */
  paint(id, values, colour, name) {
    paintPixels(byId(id), values, this.model.width, colour);
    byId(id).setAttribute("aria-label", name);
  }
}

/**
 * Explain the score in numbers that add up as shown.
 * @param {string} label
 * @param {number} score
 * @param {number} bias
 * @returns {string}
 */
function sumOfVotes(label, score, bias) {
  const votes = score.toFixed(2) - bias.toFixed(2);
  return (
    `The votes on ${label} add up to ${signed(votes)}. With its bias, ${signed(bias)}, ` +
    `its score is ${signed(score)}, the highest of all; softmax turns scores into probabilities.`
  );
}
