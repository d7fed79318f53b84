// Drawing with a mouse, a finger or a pen.

/**
 * Find where on the paper a pointer is.
 * @param {PointerEvent} event
 * @param {Element} paper
 * @returns {Point}
 */
function place(event, paper) {
  const box = paper.getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}

/**
 * List where a pointer has been since the last event, which can be more places than one.
 * @param {PointerEvent} event
 * @returns {PointerEvent[]}
 */
function coalesced(event) {
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  return events.length > 0 ? events : [event];
}

/**
 * Let one pointer at a time draw.
 * @param {HTMLCanvasElement} paper
 * @param {Drawing} drawing
 */
function drawWithPointer(paper, drawing) {
  let drawingPointer = null;
  const end = () => {
    drawingPointer = null;
    drawing.end();
  };
  // if text on the page is selected, a press on the paper would drag the selection
  paper.addEventListener("dragstart", (event) => event.preventDefault());
  paper.addEventListener("pointerdown", (event) => {
    // on a Mac, Ctrl and the button open a menu
    if (event.button !== 0 || event.ctrlKey) return;
    if (drawingPointer !== null && drawingPointer !== event.pointerId) return;
    drawingPointer = event.pointerId;
    paper.setPointerCapture(event.pointerId);
    drawing.begin(place(event, paper));
  });
  paper.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawingPointer) return;
    if (event.buttons === 0) {
      end(); // an open menu took the release
      return;
    }
    for (const one of coalesced(event)) drawing.extend(place(one, paper));
  });
  // follows pointerup and pointercancel, and any other loss of the capture
  paper.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId === drawingPointer) end();
  });
}
