import type { Cluster } from '../client/place/connect.ts'

/** Opens the cluster of a profile, and closes it whatever comes of the work. Only then is loaded what that takes. */
export async function onCluster<T>(
  profile: string | undefined,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const { connect } = await import('../client/place/connect.ts')
  const cluster = await connect(profile)
  try {
    return await work(cluster)
  } finally {
    await cluster.close()
  }
}
