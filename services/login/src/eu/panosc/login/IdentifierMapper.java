package eu.panosc.login;

import java.util.ArrayList;
import java.util.List;
import org.keycloak.models.ClientSessionContext;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ProtocolMapperModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.protocol.oidc.mappers.OIDCAttributeMapperHelper;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.representations.IDToken;

/**
 * Names people by an identifier that is theirs for good and says nothing about them, within the scope of the
 * community: {@code sub} and {@code voperson_id} are {@code <id of the account>@<scope>}, as the EOSC AAI
 * Architecture asks for. Keycloak's own {@code sub} lacks the scope.
 */
public final class IdentifierMapper extends ClaimMapper {

    public static final String ID = "panosc-identifier";
    static final String SCOPE = "scope";

    private static final List<ProviderConfigProperty> PROPERTIES = properties();

    private static List<ProviderConfigProperty> properties() {
        List<ProviderConfigProperty> properties = new ArrayList<>();
        properties.add(text(SCOPE, "Scope", "Domain of the community, which follows the @."));
        OIDCAttributeMapperHelper.addIncludeInTokensConfig(properties, IdentifierMapper.class);
        return List.copyOf(properties);
    }

    @Override
    public String getId() {
        return ID;
    }

    @Override
    public String getDisplayType() {
        return "Scoped identifier";
    }

    @Override
    public String getHelpText() {
        return "Sets sub and voperson_id to <id of the account>@<scope>.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return PROPERTIES;
    }

    @Override
    protected void setClaim(IDToken token, ProtocolMapperModel mapper, UserSessionModel session,
            KeycloakSession keycloak, ClientSessionContext context) {
        String identifier = session.getUser().getId() + "@" + mapper.getConfig().get(SCOPE);
        token.setSubject(identifier);
        token.getOtherClaims().put("voperson_id", identifier);
    }
}
