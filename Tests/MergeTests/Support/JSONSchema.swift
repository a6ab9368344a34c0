import Foundation
import Testing

/// A published schema of what the command prints, and the check of documents against it.
struct JSONSchema {
  /// Names of the schemas: the reports by their verbs, and the lines of standard error.
  static let names = [
    "plan", "merge", "verify", "status", "status-list", "list", "devices", "settle", "messages",
  ]

  let name: String

  /// The file, which the package brings.
  var path: String { PackageFolder.path("docs/schema/\(name)-1.json") }

  /// The schema itself.
  func document() throws -> JSONValue {
    try JSONValue(parsing: String(contentsOfFile: path, encoding: .utf8))
  }

  /// What a library that others use says is wrong with a document, a line each; nothing if it is right.
  func complaints(of text: String) throws -> [String] {
    try Self.complaints(of: [(name, text)])
  }

  /// What is wrong with several documents, each held against the schema of that name.
  static func complaints(of documents: [(schema: String, text: String)]) throws -> [String] {
    let python = try #require(Machine.pythonWithSchemas)
    let arguments = documents.flatMap { [JSONSchema(name: $0.schema).path, $0.text] }
    let result = try Program.run([python, "-c", script] + arguments)
    guard result.exitStatus == 0 else { throw SupportError(result.standardError) }
    return result.standardOutput.split(separator: "\n").map(String.init)
  }

  // A document that fits none of several forms is told what each of them wants.
  private static let script = """
    import json, sys
    from jsonschema import Draft202012Validator

    def leaves(error):
        for inner in error.context:
            yield from leaves(inner)
        if not error.context:
            yield error

    def no_number(text):
        raise ValueError(text + " is no JSON")

    words = sys.argv[1:]
    for path, text in zip(words[::2], words[1::2]):
        with open(path) as file:
            schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        try:
            document = json.loads(text, parse_constant=no_number)
        except ValueError as error:
            print(f"{schema['$id']}: {error}")
            continue
        for error in Draft202012Validator(schema).iter_errors(document):
            for leaf in leaves(error):
                place = "/".join(str(part) for part in leaf.absolute_path)
                print(f"{schema['$id']}: /{place}: {leaf.message}")
    """
}

extension Trait where Self == ConditionTrait {
  /// Holding documents against a schema.
  static var needsJSONSchema: Self {
    .enabled("python3 has no jsonschema that knows draft 2020-12") {
      Machine.pythonWithSchemas != nil
    }
  }
}

extension Machine {
  /// The first python3 with the library that checks documents; Debian's starts faster than a wrapper.
  static let pythonWithSchemas: String? = ["/usr/bin/python3", "python3"].first { python in
    let probe = try? Program.run([python, "-c", "from jsonschema import Draft202012Validator"])
    return probe?.exitStatus == 0
  }
}
