import type { PlaceableModel, PlacementDirector, RouteConstraints } from '@resultity/placement'

/** @throws MeshError why no node serves the model now, and none is about to */
export function requirePlace(director: PlacementDirector, model: PlaceableModel, routing: RouteConstraints = {}): void {
  const choice = director.choose(model, routing)
  if (choice.type === 'error') throw choice.error
}
