/// The argument parser's shell completion scripts, with three additions.
///
/// - `--option=value` is completed like `--option value`. zsh needs a marker for options that
///   accept both forms; bash splits the first form into three words.
/// - For an empty journal operand, the journals in the default places are offered; otherwise all
///   files are, because a journal may have any name. The shells themselves list the files because
///   they know how to quote names.
/// - The operand of `help` is completed with the verbs.
enum CompletionScript {
  /// Returns the completion script of any supported shell with the additions made.
  static func mended(_ script: String) -> String {
    script.split(separator: "\n", omittingEmptySubsequences: false).map { mended(line: String($0)) }
      .joined(separator: "\n")
  }

  private static func mended(line: String) -> String {
    if let replacement = bash[line] ?? zsh[line] ?? fish[line] { return replacement }
    if let action = line.firstRange(of: #"-fa '(set -l exts \'journal\'"#) {
      return line[..<action.lowerBound] + fishJournals
    }
    // In zsh, an option is '--option[Description.]:value:ACTION'; a flag has no colons.
    guard line.drop(while: { $0 == " " }).hasPrefix("'--"), line.contains("]:"),
      let bracket = line.firstIndex(of: "[")
    else { return line }
    return line[..<bracket] + "=" + line[bracket...]
  }

  private static let verbs = ThinMerge.verbs.joined(separator: " ")

  private static let bash = [
    #"    local -r cur="${2}""#: #"""
        # An equals sign between an option and its value is no word of its own here.
        local -a words=()
        local -i index word_count=0
        for index in "${!COMP_WORDS[@]}"; do
            [[ "${COMP_WORDS[index]}" == '=' && "${index}" -lt "${COMP_CWORD}" ]] && continue
            [[ "${COMP_WORDS[index]}" == '=' ]] && words+=('') || words+=("${COMP_WORDS[index]}")
            [[ "${index}" -le "${COMP_CWORD}" ]] && word_count+=1
        done
        local -a COMP_WORDS=("${words[@]}")
        local -i COMP_CWORD="$((word_count - 1))"

        local -r cur="${2}"
    """#,
    #"    local -r prev="${3}""#: #"    local -r prev="${COMP_WORDS[COMP_CWORD - 1]}""#,
    #"        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}""#:
      #"        remaining="${remaining##*([[:space:]=])"${word}"*([[:space:]=])}""#,
    #"        __thin-merge_add_completions -o plusdirs -fX '!*.@(journal|thin-merge)'"#: #"""
            if [[ -z "${cur}" ]]; then
                __thin-merge_add_completions -G "${STATE_DIRECTORY:-/var/lib/thin-merge}/*.journal"
                __thin-merge_add_completions -fX '!*.thin-merge'
            fi
            [[ "${#COMPREPLY[@]}" -gt 0 ]] || __thin-merge_add_completions -f
    """#,
    "    __thin-merge_offer_flags_options -1": """
        __thin-merge_offer_flags_options -1
        [[ "${positional_number}" -ne 1 ]] || COMPREPLY+=($(compgen -W '\(verbs)' -- "${cur}"))
    """,
  ]

  // The action must not contain a colon, which would end it.
  private static let zsh = [
    #"        ':journal:_files -g '\''*.journal *.thin-merge'\'''"#:
      #"        ':journal:{local -a list;[[ -n "$PREFIX" ]] || "#
      + "list=(${STATE_DIRECTORY-/var/lib/thin-merge}/*.journal(N) *.thin-merge(N));"
      + "if (( $#list )); then compadd -f -a list; else _files; fi}'",
    "        '*:subcommands:'": "        ':subcommand:(\(verbs))'",
  ]

  private static let fish = [
    "complete -c 'thin-merge' -f": """
    complete -c 'thin-merge' -f
    complete -c 'thin-merge' -n '__thin-merge_should_offer_completions_for_positional \
    "thin-merge help" -eq 1' -fa '\(verbs)'
    """
  ]
  private static let fishJournals =
    #"-fa '(set -l state /var/lib/thin-merge;set -q STATE_DIRECTORY;and set state $STATE_DIRECTORY;"#
    + #"set -l list;test -z "$(commandline -t)";and set list $state/*.journal *.thin-merge;"#
    + #"if set -q list[1];printf %s\n $list;else;__fish_complete_path (commandline -t);end)'"#
}
