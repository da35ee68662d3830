import { describe } from 'vitest'
import { reachesJobs } from './reach.ts'

describe('a job on this machine', () => reachesJobs({ scheduler: 'direct' }))
