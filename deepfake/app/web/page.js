// page: pictures are chosen, a square of each is cut, and what the detector says of them is shown.
import { judged, load, track } from "./judge.js";
import { cut, decoded } from "./pixels.js";

const THUMB = 400; // px of the longer side of a picture as it is shown
const FEW = 5; // pictures: fewer are little to go by
const at = (id) => document.getElementById(id);
const say = (text) => { at("state").textContent = text; };

const pictures = []; // { id, file, width, height, square, thumb, row, pixels }
let detector, ids = 0, turn = 0, timer, queue = Promise.resolve();

async function add(files) {
  at("refused").replaceChildren();
  for (const file of files) {
    const bitmap = await decoded(file).catch(() => null);
    if (bitmap) pictures.push(shown(file, bitmap));
    else at("refused").append(element("li", `${file.name}: no picture that this browser can read`));
  }
  pictures.sort((a, b) => a.file.name.localeCompare(b.file.name, "en", { numeric: true }));
  at("pictures").replaceChildren(...pictures.map((picture) => picture.row));
  judge();
}

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

// A picture with its controls; the largest square in its middle is chosen.
function shown(file, bitmap) {
  const { width, height } = bitmap, scale = THUMB / Math.max(width, height);
  const row = at("picture").content.cloneNode(true).firstElementChild, whole = row.querySelector(".whole");
  const thumb = document.createElement("canvas");
  whole.width = thumb.width = Math.max(1, width * scale);
  whole.height = thumb.height = Math.max(1, height * scale);
  thumb.getContext("2d").drawImage(bitmap, 0, 0, thumb.width, thumb.height);
  bitmap.close();
  const side = Math.min(width, height), picture = { file, width, height, thumb, row };
  row.querySelector("legend").textContent = file.name;
  row.querySelector("button").onclick = () => {
    pictures.splice(pictures.indexOf(picture), 1);
    row.remove();
    at("files").focus();
    judge();
  };
  Object.assign(slider(picture, "side"), { min: Math.min(32, side), max: side });
  for (const input of row.querySelectorAll("input"))
    input.oninput = () => move(picture, { ...picture.square, [input.name]: input.valueAsNumber });
  let from;
  whole.onpointerdown = (event) => {
    whole.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, square: picture.square };
  };
  whole.onpointermove = ({ pointerId, clientX, clientY }) => {
    if (!whole.hasPointerCapture(pointerId)) return;
    const px = width / whole.clientWidth, { left, top } = from.square;
    move(picture, { ...picture.square, left: left + (clientX - from.x) * px, top: top + (clientY - from.y) * px });
  };
  move(picture, { left: (width - side) / 2, top: (height - side) / 2, side });
  return picture;
}

const slider = (picture, name) => picture.row.querySelector(`[name=${name}]`);

// Put the square of a picture there, as far as the picture goes; one of another size keeps its middle.
function move(picture, { left, top, side }) {
  const grown = picture.square ? (picture.square.side - side) / 2 : 0;
  const within = (value, most) => Math.round(Math.min(Math.max(0, value), most));
  const room = { left: picture.width - side, top: picture.height - side };
  picture.square = { left: within(left + grown, room.left), top: within(top + grown, room.top), side };
  Object.assign(picture, { id: ids++, pixels: new Map() });
  for (const name of ["left", "top"]) Object.assign(slider(picture, name), { max: room[name], disabled: !room[name] });
  for (const name in picture.square) slider(picture, name).value = picture.square[name];
  paint(picture);
  judge();
}

// The picture, dark but for its square, with marks where the eyes and the nose belong.
function paint({ square, thumb, width, row }) {
  const canvas = row.querySelector(".whole"), drawn = canvas.getContext("2d"), scale = canvas.width / width;
  const [left, top, side] = [square.left, square.top, square.side].map((px) => px * scale);
  drawn.drawImage(thumb, 0, 0);
  drawn.fillStyle = "#000a";
  const dark = new Path2D();
  dark.rect(0, 0, canvas.width, canvas.height);
  dark.rect(left, top, side, side);
  drawn.fill(dark, "evenodd");
  for (const [style, line] of [["#000", 6], ["#f0e442", 3]]) {
    Object.assign(drawn, { strokeStyle: style, lineWidth: line });
    drawn.strokeRect(left, top, side, side);
    for (const [x, y] of detector.marks) {
      drawn.beginPath();
      drawn.arc(left + x * side, top + y * side, side / 22, 0, 2 * Math.PI);
      drawn.stroke();
    }
  }
}

async function pixels(picture, side) {
  if (!picture.pixels.has(side)) picture.pixels.set(side, await cut(picture.file, picture.square, side));
  const seen = Object.assign(picture.row.querySelector(".seen"), { width: side, height: side });
  seen.getContext("2d").putImageData(new ImageData(picture.pixels.get(side), side), 0, 0);
  return picture.pixels.get(side);
}

// Ask the networks in a moment, one run after another; what changes meanwhile ends the run that it outdates.
function judge() {
  const own = ++turn;
  at("result").ariaBusy = "true";
  clearTimeout(timer);
  timer = setTimeout(() => { queue = queue.then(() => look(own)).catch(failed); }, 200);
}

function failed(error) {
  at("progress").hidden = at("result").hidden = true; // which is of other pictures
  say(`It failed: ${error.message}`);
}

async function look(own) {
  at("result").hidden = at("looked").hidden = !pictures.length;
  if (own !== turn) return;
  if (!pictures.length) {
    at("progress").hidden = true;
    return say("The detector is ready.");
  }
  say("It looks at the pictures.");
  const heard = await track(detector, pictures, pixels, async (done, all) => {
    Object.assign(at("progress"), { value: done, max: all, hidden: false });
    await new Promise((resume) => setTimeout(resume)); // the page is painted, and heard
    return own === turn;
  });
  if (heard) show(heard);
}

function show(heard) {
  const { score, verdict, reason } = judged(detector, heard.logit, heard.novelty);
  const count = pictures.length, few = count < FEW && `${count} picture${count > 1 ? "s are" : " is"} little to go by.`;
  Object.assign(at("result").dataset, { verdict, score, logit: heard.logit, novelty: heard.novelty });
  at("verdict").textContent = detector.wording[verdict];
  at("meter").value = score;
  at("score").textContent = `P(fake) ${percent(score)}; from ${percent(detector.threshold)} on it says fake. ` +
    "Before looking, it takes real and fake for equally likely.";
  at("reason").textContent = [reason, few].filter(Boolean).join(" ");
  at("caption").textContent = heard.parts.some((part) => part.length > 1)
    ? "Pictures in a row are judged together, in the order of their names." : "Each picture on its own.";
  at("rows").replaceChildren(...heard.parts.map((part, n) => {
    const row = document.createElement("tr"), logit = heard.logits[n];
    const names = part.map((i) => pictures[i].file.name).join(", "), own = judged(detector, logit, null);
    row.append(...[names, percent(own.score), logit.toFixed(3)].map((text) => element("td", text)));
    row.dataset.logit = logit;
    return row;
  }));
  say("");
  at("progress").hidden = true;
  at("result").ariaBusy = "false";
}

// A share in words, never surer than it is: words.percent.
const percent = (share) => share < 0.01 || share > 0.99
  ? `${Math.min(Math.max(100 * share, 0.1), 99.9).toFixed(1)} %` : `${(100 * share).toFixed(0)} %`;

at("files").onchange = (event) => { add([...event.target.files]); event.target.value = ""; };
addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
addEventListener("dragleave", () => at("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (detector) add([...event.dataTransfer.files]);
});

at("files").disabled = true;
try {
  detector = await load();
  at("share").textContent = percent(detector.share);
  at("doubts").prepend(...detector.doubts.map((text) => element("li", text)));
  at("detector").textContent = `Detector ${detector.sha256.slice(0, 16)}: the hash of its card begins so.`;
  at("files").disabled = false;
  say("The detector is ready.");
} catch (error) {
  say(`The detector cannot be loaded: ${error.message}`);
}
