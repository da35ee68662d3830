import { installTools } from './tools.ts'

export default installTools
