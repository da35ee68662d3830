export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.ts'
export { MemoryExecutor } from './memory-executor.ts'
export { type Faults, injectFaults } from './observed-transport.ts'
export { type TransportUnderTest, transportSuite } from './transport-suite.ts'
