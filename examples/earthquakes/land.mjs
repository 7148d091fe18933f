/** Coastlines of the TopoJSON file `world-110m.json`, decoded. */

/**
 * The rings of an object of a topology, as lists of [longitude, latitude] in degrees. Arcs are stored as
 * whole-number steps and shared between rings; a negative index is an arc walked backwards.
 */
export function rings(topology, name) {
  const { scale, translate } = topology.transform;
  const arcs = topology.arcs.map((steps) => {
    let [x, y] = [0, 0];
    return steps.map(([dx, dy]) => {
      x += dx;
      y += dy;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
  const ring = (indexes) =>
    indexes.flatMap((index, place) => {
      const points = index < 0 ? arcs[~index].toReversed() : arcs[index];
      // The last point of an arc is the first of the next.
      return place === 0 ? points : points.slice(1);
    });
  const object = topology.objects[name];
  const polygons = object.type === 'MultiPolygon' ? object.arcs : [object.arcs];
  return polygons.flatMap((polygon) => polygon.map(ring));
}
