/** The files of the npm package `vega-datasets`. */
import { readFileSync } from 'node:fs';

const data = new URL('../data/', import.meta.resolve('vega-datasets'));

function read(name) {
  return JSON.parse(readFileSync(new URL(name, data), 'utf8'));
}

/** The earthquakes as events, in the order in which they happened. */
export function earthquakes() {
  return read('earthquakes.json')
    .features.map(({ id, properties, geometry }) => ({
      event: 'record_created',
      recordSlug: 'earthquake',
      recordId: id,
      timestamp: new Date(properties.time).toISOString(),
      data: {
        magnitude: properties.mag,
        place: properties.place,
        longitude: geometry.coordinates[0],
        latitude: geometry.coordinates[1],
        depth: geometry.coordinates[2],
        kind: properties.type,
        tsunami: properties.tsunami === 1,
        url: properties.url,
      },
    }))
    .sort((a, b) => a.timestamp.localeCompare(b.timestamp));
}

/** The topology of the world's land. */
export function world() {
  return read('world-110m.json');
}
