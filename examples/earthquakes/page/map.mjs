/** A map of the world on two canvases: land, and above it what happens. */

const [A1, A2, A3, A4] = [1.340264, -0.081106, 0.000893, 0.003796];
const M = Math.sqrt(3) / 2;
/** Half the width and half the height of the projected world, in its own units. */
const [HALF_WIDTH, HALF_HEIGHT] = [2.7066, 1.3173];

/** Equal Earth (Šavrič, Patterson, Jenny 2018): degrees to a point; areas stay comparable. */
function equalEarth(longitude, latitude) {
  const t = Math.asin(M * Math.sin((latitude * Math.PI) / 180));
  const t2 = t * t;
  const t6 = t2 * t2 * t2;
  const x = ((longitude * Math.PI) / 180) * Math.cos(t);
  return [x / (M * (A1 + 3 * A2 * t2 + t6 * (7 * A3 + 9 * A4 * t2))), t * (A1 + A2 * t2 + t6 * (A3 + A4 * t2))];
}

const STOPS = [
  [0, [255, 209, 102]],
  [70, [243, 114, 44]],
  [300, [199, 125, 255]],
];

/** The colour of a depth in km: shallow yellow, deep violet; distinguishable by lightness too. */
export function colour(depth) {
  const next = STOPS.find(([at]) => depth < at) ?? STOPS.at(-1);
  const previous = STOPS[Math.max(0, STOPS.indexOf(next) - 1)];
  const span = next[0] - previous[0];
  const part = span === 0 ? 1 : Math.min(1, Math.max(0, (depth - previous[0]) / span));
  return `rgb(${next[1].map((value, i) => Math.round(previous[1][i] + (value - previous[1][i]) * part)).join(' ')})`;
}

/** How long a new earthquake's ring grows, in ms. */
const RING = 1600;

/** Draws on two canvases; `add` puts an earthquake on the map, `clear` takes all off. */
export function createMap(landCanvas, quakeCanvas, rings) {
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let quakes = [];
  let fresh = [];
  let place;
  let size = 1;
  let frame = 0;

  /** Radius of an earthquake's dot in pixels: a step of magnitude is half as large again. */
  function radius(magnitude) {
    return size * 1.5 ** Math.max(0, magnitude);
  }

  function layout() {
    const { clientWidth: width, clientHeight: height } = landCanvas;
    const ratio = devicePixelRatio;
    for (const canvas of [landCanvas, quakeCanvas]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    const scale = Math.min((width - 32) / (2 * HALF_WIDTH), (height - 32) / (2 * HALF_HEIGHT));
    size = Math.min(1.8, Math.max(0.9, scale / 110));
    place = (longitude, latitude) => {
      const [x, y] = equalEarth(longitude, latitude);
      return [width / 2 + x * scale, height / 2 - y * scale];
    };
    drawLand(width, height);
    drawQuakes();
  }

  function trace(context, points) {
    points.forEach(([longitude, latitude], i) => {
      const [x, y] = place(longitude, latitude);
      if (i === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    });
  }

  function drawLand(width, height) {
    const context = landCanvas.getContext('2d');
    context.clearRect(0, 0, width, height);
    const degrees = Array.from({ length: 181 }, (_, i) => i - 90);
    context.beginPath();
    trace(context, [...degrees.map((y) => [-180, y]), ...degrees.toReversed().map((y) => [180, y])]);
    context.closePath();
    context.fillStyle = '#0f1a2e';
    context.fill();
    context.beginPath();
    for (let x = -150; x < 180; x += 30)
      trace(
        context,
        degrees.map((y) => [x, y]),
      );
    for (let y = -60; y <= 60; y += 30)
      trace(
        context,
        degrees.map((x) => [x * 2, y]),
      );
    context.strokeStyle = '#18253c';
    context.lineWidth = 1;
    context.stroke();
    context.beginPath();
    for (const ring of rings) {
      trace(context, ring);
      context.closePath();
    }
    context.fillStyle = '#26354f';
    context.strokeStyle = '#3a4c6b';
    context.lineWidth = 0.6;
    context.fill('evenodd');
    context.stroke();
  }

  function dot(context, { longitude, latitude, magnitude, depth }, alpha) {
    const [x, y] = place(longitude, latitude);
    context.beginPath();
    context.arc(x, y, radius(magnitude), 0, 2 * Math.PI);
    context.globalAlpha = alpha;
    context.fillStyle = colour(depth);
    context.fill();
    context.globalAlpha = Math.min(1, alpha + 0.3);
    context.strokeStyle = '#0b1220';
    context.lineWidth = 0.5;
    context.stroke();
  }

  function drawQuakes() {
    frame = 0;
    const now = performance.now();
    const context = quakeCanvas.getContext('2d');
    context.clearRect(0, 0, quakeCanvas.clientWidth, quakeCanvas.clientHeight);
    for (const quake of quakes) dot(context, quake, 0.62);
    fresh = fresh.filter(({ at }) => now - at < RING);
    for (const { quake, at } of fresh) {
      const part = (now - at) / RING;
      const [x, y] = place(quake.longitude, quake.latitude);
      dot(context, quake, 1);
      context.beginPath();
      context.arc(x, y, radius(quake.magnitude) + 14 * size * (1 - (1 - part) ** 2), 0, 2 * Math.PI);
      context.globalAlpha = 1 - part;
      context.strokeStyle = colour(quake.depth);
      context.lineWidth = 1.5;
      context.stroke();
    }
    context.globalAlpha = 1;
    if (fresh.length > 0) soon();
  }

  function soon() {
    frame ||= requestAnimationFrame(drawQuakes);
  }

  new ResizeObserver(layout).observe(landCanvas);
  layout();
  return {
    add(quake) {
      // The strong ones first, so that small ones stay visible on top of them.
      const index = quakes.findIndex(({ magnitude }) => magnitude <= quake.magnitude);
      quakes.splice(index === -1 ? quakes.length : index, 0, quake);
      if (!still.matches) fresh.push({ quake, at: performance.now() });
      soon();
    },
    clear() {
      quakes = [];
      fresh = [];
      soon();
    },
  };
}
