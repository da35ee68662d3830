export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.ts'
export { type TransportUnderTest, transportSuite } from './transport-suite.ts'
