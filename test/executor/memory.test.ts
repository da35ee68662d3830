import { executorSuite } from '../../src/testing/executor-suite.ts'
import { MemoryExecutor } from '../../src/testing/memory-executor.ts'

executorSuite('memory', async () => new MemoryExecutor())
