export { type Lag, lateFiles } from './late-files.ts'
export { MemoryExecutor } from './memory-executor.ts'
export { type Faults, injectFaults } from './observed-transport.ts'
export {
  type KnobChanges,
  type Knobs,
  type SimulatedKind,
  type SimulatedScheduler,
  simulateScheduler,
} from './simulated/simulated.ts'
