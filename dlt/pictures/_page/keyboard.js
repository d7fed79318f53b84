// Drawing with the keyboard: a pen that the arrow keys move.

/** How far one press moves the pen, as a part of the paper. */
const STEP = 1 / 40;

const DIRECTIONS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** The pen that the paper shows while the keyboard is used. */
class KeyboardPen {
  /**
   * @param {HTMLElement} mark shows where the pen is
   * @param {Drawing} drawing
   * @param {function(string): void} say
   */
  constructor(mark, drawing, say) {
    this.mark = mark;
    this.drawing = drawing;
    this.say = say;
    this.point = { x: 0.5, y: 0.25 };
    this.held = new Set();
    this.actions = { " ": "toggle", Enter: "toggle", u: "undo", Escape: "clear", Delete: "clear" };
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      this.held.clear(); // a Mac does not report when keys are released now
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = this.actions[key];
    if (!action && !DIRECTIONS[key]) return;
    event.preventDefault(); // the page does not scroll
    if (DIRECTIONS[key]) this.move(key);
    else if (!event.repeat) this[action]();
    this.show();
  }

  /** @param {KeyboardEvent} event */
  release(event) {
    this.held.delete(event.key);
  }

  /** Move by every arrow that is held: two make a slant. @param {string} key */
  move(key) {
    this.held.add(key);
    const within = (value) => Math.min(1 - PEN / 2, Math.max(PEN / 2, value));
    let { x, y } = this.point;
    for (const held of this.held) {
      x += STEP * DIRECTIONS[held].x;
      y += STEP * DIRECTIONS[held].y;
    }
    this.point = { x: within(x), y: within(y) };
    this.drawing.extend(this.point);
  }

  toggle() {
    if (this.drawing.isDown) this.drawing.end();
    else this.drawing.begin(this.point);
    this.say(this.drawing.isDown ? "Pen down." : "Pen lifted.");
  }

  undo() {
    this.drawing.undo();
  }

  clear() {
    this.drawing.clear();
  }

  show() {
    this.mark.hidden = false;
    this.mark.style.left = `${100 * this.point.x}%`;
    this.mark.style.top = `${100 * this.point.y}%`;
    this.mark.classList.toggle("down", this.drawing.isDown);
  }

  hide() {
    this.mark.hidden = true;
  }

  /** Lift and hide the pen when the focus leaves the paper. */
  leave() {
    this.held.clear();
    this.drawing.end();
    this.hide();
  }
}

/**
 * Let the keyboard draw while the paper has the focus.
 * @param {HTMLCanvasElement} paper
 * @param {KeyboardPen} pen
 */
function drawWithKeyboard(paper, pen) {
  paper.addEventListener("keydown", (event) => pen.press(event));
  paper.addEventListener("keyup", (event) => pen.release(event));
  paper.addEventListener("blur", () => pen.leave());
  paper.addEventListener("focus", () => {
    if (paper.matches(":focus-visible")) pen.show();
  });
  paper.addEventListener("pointerdown", () => pen.hide());
}
