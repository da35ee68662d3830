import { describe } from 'vitest'
import { commandsWork } from './jobs.ts'

describe('commands about jobs of this machine', () => commandsWork({ scheduler: 'direct' }))
