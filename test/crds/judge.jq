# Tells of each answer whether it is as expected. Input: the answers, in the order of $requests;
# $codes: their HTTP statuses. Prints one object a request: case, problem (null when all is well),
# and outcome, which is the same on two servers that behave the same.

# Whether the input holds all that $want has; null in $want means absent.
def holds($want):
  if $want == null then . == null
  elif ($want | type) == "object" then
    type == "object" and (. as $have | all($want | to_entries[]; .value as $v | $have[.key] | holds($v)))
  elif ($want | type) == "array" then
    type == "array" and length == ($want | length) and (. as $have | all(range($want | length); . as $i | $have[$i] | holds($want[$i])))
  else . == $want end;

def outcome($code):
  if .kind == "Status" then {$code, message, causes: ((.details.causes // []) | sort_by(.field, .message))}
  elif .kind == "Table" then {$code, columns: [.columnDefinitions[] | {name, type, format, priority}]}
  elif .kind == "APIResourceList" or .kind == "APIGroup" or .kind == "CustomResourceDefinition" then {$code}
  else {$code, spec, status} end;

def without_age($columns): [., $columns] | transpose | map(select(.[1] != "Age")) | map(.[0]);

def problem($r; $code):
  if $r.refused then
    if $code != 422 then "accepted (\($code)), expected: \($r.refused)"
    elif (.message | contains($r.refused)) then null else "refused with: \(.message)" end
  elif $code >= 300 then "refused (\($code)): \(.message)"
  elif $r.gives then if holds($r.gives) then null else "gives \({spec, status} | tojson)" end
  elif $r.columns then
    if [.columnDefinitions[].name] != $r.columns then "columns \([.columnDefinitions[].name] | tojson)"
    elif any(.columnDefinitions[]; .priority != 0) then "a column has a priority"
    elif (.rows[0].cells | without_age($r.columns)) != ($r.cells | without_age($r.columns)) then "cells \(.rows[0].cells | tojson)"
    else null end
  elif $r.names then
    (.resources | map(select(.name | . == $r.names.name or startswith($r.names.name + "/")))) as $have
    | if [$have[].name] != [$r.names.name, $r.names.name + "/status"] then "resources \([$have[].name] | tojson)"
      elif ($have[0] | holds($r.names)) then null else "names \($have[0] | tojson)" end
  elif $r.versions then
    if [.versions[].version] == $r.versions then null else "versions \(.versions | tojson)" end
  else "nothing was expected" end;

. as $answers | range($requests | length)
| $requests[.] as $r | $codes[.] as $code | $answers[.]
| {case: $r.case, problem: problem($r; $code), outcome: outcome($code)}
