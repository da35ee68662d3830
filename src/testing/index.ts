export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.ts'
export { MemoryExecutor } from './memory-executor.ts'
export { type TransportUnderTest, transportSuite } from './transport-suite.ts'
