import { Command } from 'commander'

export function configCommand(): Command {
  return new Command('config')
    .addCommand(
      new Command('show')
        .description('print every setting, and where it comes from')
        .option('--profile <name>', 'show this profile')
        .option('--origin', "each value's line, and what it was put over")
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          '\nExamples:\n  farcall config show\n  farcall config show --profile hpc --origin\n  farcall config show --json',
        )
        .action(async (options) => (await import('../config/show.ts')).showConfig(options)),
    )
    .addCommand(
      new Command('paths')
        .description('the files that are read, and those that are looked for')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExamples:\n  farcall config paths')
        .action(async (options) => (await import('../config/files.ts')).showPaths(options)),
    )
    .addCommand(
      new Command('init')
        .description('write a first configuration file')
        .option('--project', 'here, for this project; default: your own')
        .option('--format <format>', 'yaml, json or ts', 'yaml')
        .option('--dry-run', 'print what would be written, and write nothing')
        .option('--json', 'print JSON: { file, text, written }')
        .addHelpText(
          'after',
          '\nExamples:\n  farcall config init\n  farcall config init --project --format ts',
        )
        .action(async (options) => (await import('../config/files.ts')).initConfig(options)),
    )
    .addCommand(
      new Command('validate')
        .description('tell all that is wrong with the configuration')
        .argument('[files...]', 'default: those that are read here')
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          '\nExamples:\n  farcall config validate\n  farcall config validate farcall.config.yaml\n\nExit code: 3 when something is wrong.',
        )
        .action(async (files, options) =>
          (await import('../config/files.ts')).validateConfig(files, options),
        ),
    )
    .addCommand(
      new Command('set')
        .description('set one key in a configuration file; all else in it stays as it is')
        .argument('<key>', 'like profiles.hpc.resources.time')
        .argument('<value>', 'text, or YAML: [gcc, cuda]')
        .option('--project', "in the project's file; default: in your own")
        .option('--dry-run', 'show the change, and make none')
        .option('--json', 'print JSON: { file, changes, written }')
        .addHelpText(
          'after',
          "\nExamples:\n  farcall config set defaultProfile hpc\n  farcall config set profiles.hpc.environment.modules '[gcc]' --project",
        )
        .action(async (key, value, options) =>
          (await import('../config/set.ts')).setKey(key, value, options),
        ),
    )
    .addCommand(
      new Command('unset')
        .description('take one key out of a configuration file')
        .argument('<key>', 'like profiles.hpc.resources.time')
        .option('--project', "of the project's file; default: of your own")
        .option('--dry-run', 'show the change, and make none')
        .option('--json', 'print JSON: { file, changes, written }')
        .addHelpText('after', '\nExamples:\n  farcall config unset profiles.hpc.resources.account')
        .action(async (key, options) => (await import('../config/set.ts')).unsetKey(key, options)),
    )
    .addCommand(
      new Command('schema')
        .description('print the JSON Schema of configuration files, for editors')
        .addHelpText('after', '\nExamples:\n  farcall config schema > farcall.schema.json')
        .action(async () => (await import('../config/files.ts')).printSchema()),
    )
}
