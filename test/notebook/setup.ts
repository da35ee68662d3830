import { installTslab } from './tslab.ts'

export default installTslab
