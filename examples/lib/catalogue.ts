import { readFileSync } from 'node:fs'

export interface Quake {
  magnitude: number
  /** Milliseconds since 1970, UTC. */
  time: number
  longitude: number
  latitude: number
}

interface Feature {
  properties: { mag: number; time: number; net: string; type: string }
  geometry: { coordinates: [longitude: number, latitude: number, depth: number] }
}

/** Earthquakes of one week that some seismic networks located: USGS, as in the npm package vega-datasets. */
export function readCatalogue(networks: readonly string[]): Quake[] {
  const file = new URL('../data/earthquakes.json', import.meta.resolve('vega-datasets'))
  const { features } = JSON.parse(readFileSync(file, 'utf8')) as { features: Feature[] }
  return features
    .filter(({ properties }) => properties.type === 'earthquake' && networks.includes(properties.net))
    .map(({ properties, geometry }) => ({
      magnitude: properties.mag,
      time: properties.time,
      longitude: geometry.coordinates[0],
      latitude: geometry.coordinates[1],
    }))
}
