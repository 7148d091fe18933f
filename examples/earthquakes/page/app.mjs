/** Subscribes to earthquakes and shows each one as it comes. */
import { colour, createMap } from './map.mjs';

const element = (id) => document.getElementById(id);
const json = (path) => fetch(path).then((response) => response.json());

const [{ baseUrl, workspace }, rings] = await Promise.all([json('/config.json'), json('/land.json')]);
// `centrali dev` serves the SDK for pages without a build step.
const { CentraliSDK } = await import(`${baseUrl}/-/centrali-sdk.js`);

const map = createMap(element('land'), element('quakes'), rings);

/** The page's own server gives the token; the SDK asks again before it expires. */
async function getToken() {
  const response = await fetch('/token');
  if (!response.ok) throw new Error('This page could not get a token.');
  return response.text();
}

const centrali = new CentraliSDK({ baseUrl, workspaceId: workspace, getToken, tokenDelivery: 'header' });

const SHOWN = 40;
let count = 0;
let strongest = Number.NEGATIVE_INFINITY;

function show({ data, timestamp }) {
  map.add(data);
  count++;
  strongest = Math.max(strongest, data.magnitude);
  element('count').textContent = count.toLocaleString('en');
  element('strongest').textContent = strongest.toFixed(1);
  element('latest').textContent = timestamp.slice(0, 16).replace('T', ' ');

  const item = document.createElement('li');
  const magnitude = document.createElement('b');
  magnitude.textContent = data.magnitude.toFixed(1);
  magnitude.style.background = colour(data.depth);
  const place = document.createElement('span');
  place.textContent = data.place;
  const when = document.createElement('small');
  when.textContent = `${timestamp.slice(0, 16).replace('T', ' ')} UTC, ${Math.max(0, Math.round(data.depth))} km deep`;
  place.append(when);
  item.append(magnitude, place);
  const list = element('list');
  list.prepend(item);
  if (list.childElementCount > SHOWN) list.lastElementChild.remove();
}

function say(text, state) {
  element('state').textContent = text;
  element('state').dataset.state = state;
}

/** Starts over with a filter that the server evaluates. */
function subscribe(least) {
  map.clear();
  count = 0;
  strongest = Number.NEGATIVE_INFINITY;
  for (const id of ['strongest', 'latest']) element(id).textContent = '–';
  element('count').textContent = '0';
  element('list').replaceChildren();
  say('Connecting', 'connecting');
  return centrali.realtime.subscribe({
    structures: ['earthquake'],
    events: ['record_created'],
    filter: least === '' ? undefined : `data.magnitude:gte:${least}`,
    onEvent: show,
    onConnected: () => say('Live', 'open'),
    onDisconnected: (reason) => reason !== 'unsubscribed' && say('Reconnecting', 'connecting'),
    onError: (error) =>
      error.recoverable ? say('Reconnecting', 'connecting') : say(`${error.message} ${error.remedy}`, 'stopped'),
  });
}

let subscription = subscribe('');
document.querySelector('fieldset').addEventListener('change', ({ target }) => {
  subscription.unsubscribe();
  subscription = subscribe(target.value);
});
