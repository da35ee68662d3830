import { Option } from 'commander'

export interface FormatOptions {
  readonly format: 'table' | 'json'
  readonly json?: true
}

export const formatOption = (): Option =>
  new Option('--format <format>', 'table or json').choices(['table', 'json']).default('table')
export const jsonOption = (): Option => new Option('--json', 'the same as --format json')

export const wantsJson = ({ format, json }: FormatOptions): boolean => json === true || format === 'json'
