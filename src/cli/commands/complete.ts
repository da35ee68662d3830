import { Command } from 'commander'

/** For the help; what it does needs all other commands, and is done in ../completion.ts before they are parsed. */
export function completeCommand(): Command {
  return new Command('complete')
    .description('print the completions of a shell: bash, zsh or fish')
    .argument('<shell>')
    .addHelpText(
      'after',
      `
Commands, options, profiles and job ids are completed.

Examples:
  echo 'source <(farcall complete bash)' >> ~/.bashrc       needs the package bash-completion
  echo 'source <(farcall complete zsh)' >> ~/.zshrc         after compinit
  farcall complete fish > ~/.config/fish/completions/farcall.fish`,
    )
}

/** Whether the command line asks for completions. */
export const asksToComplete = (argv: readonly string[]): boolean =>
  argv[2] === 'complete' && argv.length > 3 && !['--help', '-h'].includes(argv[3]!)
