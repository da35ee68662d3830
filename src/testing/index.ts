export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.ts'
export { type Lag, lateFiles } from './late-files.ts'
export { MemoryExecutor } from './memory-executor.ts'
export { type Faults, injectFaults } from './observed-transport.ts'
export {
  type Knobs,
  type SimulatedKind,
  type SimulatedScheduler,
  simulateScheduler,
} from './simulated/simulated.ts'
export { type TransportUnderTest, transportSuite } from './transport-suite.ts'
