export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.ts'
export { MemoryExecutor } from './memory-executor.ts'
export { transportSuite } from './transport-suite.ts'
